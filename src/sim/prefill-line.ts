import { type EngineModel, mixedStepSeconds } from "./engine-models.ts";
import type { Flight } from "./flight.ts";

/** The requests of one engine whose prompts are being computed, in chunks, the first admitted first. */
export class PrefillLine {
  readonly #model: EngineModel;
  readonly #flights: Flight[] = [];

  constructor(model: EngineModel) {
    this.#model = model;
  }

  get length(): number {
    return this.#flights.length;
  }

  get flights(): readonly Flight[] {
    return this.#flights;
  }

  push(flight: Flight): void {
    this.#flights.push(flight);
  }

  /** The last admitted. */
  peekLast(): Flight | undefined {
    return this.#flights.at(-1);
  }

  dropLast(): void {
    this.#flights.pop();
  }

  /** Wherever it is. */
  remove(flight: Flight): void {
    this.#flights.splice(this.#flights.indexOf(flight), 1);
  }

  clear(): void {
    this.#flights.length = 0;
  }

  /** The prompts that are here leave something of a step's tokens for others. */
  hasRoom(decodes: number): boolean {
    let tokens = this.#budget(decodes);
    for (const flight of this.#flights) tokens -= flight.prefillLeft;
    return tokens > 0;
  }

  /** Fills what the decodes leave of a step's tokens with chunks, in order; returns the step's seconds. */
  cut(decodes: number, context: number): number {
    const budget = this.#budget(decodes);
    let tokens = 0;
    let pairs = 0;
    for (const flight of this.#flights) {
      const chunk = Math.min(flight.prefillLeft, budget - tokens);
      flight.chunk = chunk;
      tokens += chunk;
      pairs += chunk * (flight.context + chunk / 2);
    }
    return mixedStepSeconds(this.#model, { tokens, pairs, decodes, context });
  }

  /** The chunks are computed; returns their tokens. */
  computed(): number {
    let tokens = 0;
    for (const flight of this.#flights) {
      if (flight.chunk === 0) break;
      flight.prefillLeft -= flight.chunk;
      flight.context += flight.chunk;
      tokens += flight.chunk;
      flight.chunk = 0;
    }
    return tokens;
  }

  /** Takes those out whose prompt is computed. */
  takeDone(): readonly Flight[] {
    let done = 0;
    while (this.#flights[done]?.prefillLeft === 0) done++;
    return done === 0 ? NOBODY : this.#flights.splice(0, done);
  }

  /** Prompt tokens of one step. */
  #budget(decodes: number): number {
    const { stepTokensMax } = this.#model;
    return Math.max(stepTokensMax - decodes, Math.min(stepTokensMax, CHUNK_TOKENS_MIN));
  }
}

/** A prefill goes on, however many decode. */
const CHUNK_TOKENS_MIN = 64;
const NOBODY: readonly Flight[] = [];
