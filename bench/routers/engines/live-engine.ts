import { Engine } from "../../../src/sim/engine.ts";
import type { EngineModel } from "../../../src/sim/engine-models.ts";
import { Flight } from "../../../src/sim/flight.ts";
import type { SimRequest } from "../../../src/sim/router.ts";

/** Who asked for an answer. */
export interface Listener {
  /** The tokens from `first` (0-based) to `end`, which is not among them, have been written. */
  tokens(first: number, end: number): void;
  /** All were. */
  ended(cachedTokens: number): void;
}

/**
 * One engine of the simulator whose time is the clock's: {@link turn} is to be called at {@link nextS}, and
 * while it writes every few milliseconds. A call that comes late changes nothing but when tokens are told.
 */
export class LiveEngine {
  readonly #engine: Engine;
  readonly #open: Map<Flight, Answer> = new Map();
  /** A stream tells the first token at once, and then so many together. */
  readonly #tokensTogether: number;
  /** Requests whose router went away before the end; they are computed all the same. */
  abandoned = 0;
  promptTokens = 0;
  cachedTokens = 0;

  constructor(number: number, model: EngineModel, tokensTogether: number) {
    this.#tokensTogether = tokensTogether;
    this.#engine = new Engine(number, model, {
      firstToken: (flight) => this.#tell(flight, 1),
      answered: (flight) => this.#end(flight),
    });
  }

  /** When something happens next that is not just one more token of answers that are being written. */
  get nextS(): number {
    return this.#engine.nextS;
  }

  /** Somebody waits for tokens. */
  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  get busyS(): number {
    return this.#engine.busyS;
  }

  get finished(): number {
    return this.#engine.finished;
  }

  /** False when no engine of this size could ever hold it. */
  submit(request: SimRequest, listener: Listener, nowS: number): boolean {
    if (!this.#engine.canHold(request)) return false;
    this.turn(nowS);
    const flight = new Flight(request);
    this.#open.set(flight, { listener, told: 0 });
    this.#engine.enqueue(flight, nowS);
    return true;
  }

  /** Does what is due by now, and tells the tokens that were written. */
  turn(nowS: number): void {
    const engine = this.#engine;
    while (engine.nextS <= nowS) engine.advance();
    engine.sync(nowS);
    for (const [flight, { told }] of this.#open) {
      if (!isInDecode(flight)) continue;
      const written = flight.generated + engine.decodeSteps - flight.decodeFrom;
      if (written - told >= this.#tokensTogether) this.#tell(flight, written);
    }
  }

  #tell(flight: Flight, end: number): void {
    const answer = this.#open.get(flight)!;
    const first = answer.told;
    if (end <= first) return;
    answer.told = end;
    answer.listener.tokens(first, end);
  }

  #end(flight: Flight): void {
    this.#tell(flight, flight.request.outputTokens);
    this.promptTokens += flight.request.inputTokens;
    this.cachedTokens += flight.cachedTokens;
    this.#open.get(flight)!.listener.ended(flight.cachedTokens);
    this.#open.delete(flight);
  }
}

interface Answer {
  readonly listener: Listener;
  told: number;
}

/** It has memory of its own, and nothing of its prompt is left to compute. */
function isInDecode({ ownTokens, prefillLeft }: Flight): boolean {
  return ownTokens > 0 && prefillLeft === 0;
}
