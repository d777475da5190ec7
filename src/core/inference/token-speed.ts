import type { PromptBook } from "./prompt-book.ts";
import { FIGURE, type PromptFigures } from "./prompt-figures.ts";

/**
 * How fast each endpoint computes prompts, learned from first bytes: milliseconds for a unit, of a prompt or
 * of those that waited before it. A ratio of sums that fade: long prompts say most, as they should; what a
 * first byte costs beside its prompt is taken as some more units. Noise is held down by the peers' median,
 * which counts as if it had been seen in some requests more; so one of whom nothing is known is like them.
 */
export class TokenSpeed {
  readonly #unitMs: Float64Array;
  readonly #figures: PromptFigures;
  /** By slot: faded sums, and until when they are. */
  readonly #sumMs: Float64Array;
  readonly #sumUnits: Float64Array;
  readonly #fadedAtMs: Float64Array;
  /** Of those that are known; 0 while nobody is. */
  #medianMs = 0;
  readonly #known: number[] = [];

  constructor({ unitMs }: PromptBook, figures: PromptFigures) {
    const { length } = unitMs;
    this.#unitMs = unitMs;
    this.#figures = figures;
    this.#sumMs = new Float64Array(length);
    this.#sumUnits = new Float64Array(length);
    this.#fadedAtMs = new Float64Array(length);
  }

  forget(slot: number): void {
    this.#sumMs[slot] = 0;
    this.#sumUnits[slot] = 0;
    this.#unitMs[slot] = this.#medianMs;
  }

  /** A first byte came after `ms`, until which `units` had to be computed. */
  observe(slot: number, units: number, ms: number, nowMs: number): void {
    const load = units + FIRST_BYTE_UNITS;
    const before = this.#unitMs[slot]!;
    const clippedMs = before > 0 ? Math.min(ms, before * load * CLIP) : ms;
    const keep = Math.exp(-Math.max(0, nowMs - this.#fadedAtMs[slot]!) / FADE_MS);
    this.#sumMs[slot] = this.#sumMs[slot]! * keep + clippedMs;
    this.#sumUnits[slot] = this.#sumUnits[slot]! * keep + load;
    this.#fadedAtMs[slot] = nowMs;
    this.#publish(slot);
  }

  /** What time brings: the median moves, and with it those of whom little is known. */
  tend(slots: Int32Array): void {
    const known = this.#known;
    known.length = 0;
    for (const slot of slots) {
      if (this.#sumUnits[slot]! > 0) known.push(this.#sumMs[slot]! / this.#sumUnits[slot]!);
    }
    if (known.length === 0) return;
    known.sort((a, b) => a - b);
    this.#medianMs = known[(known.length - 1) >> 1]!;
    for (const slot of slots) this.#publish(slot);
  }

  #publish(slot: number): void {
    const peerUnits = this.#medianMs === 0 ? 0 : PEER_REQUESTS * this.#figures.values[FIGURE.aheadUnits]!;
    const units = this.#sumUnits[slot]! + peerUnits;
    if (units > 0) this.#unitMs[slot] = (this.#sumMs[slot]! + peerUnits * this.#medianMs) / units;
  }
}

/** Before anything is known, of anybody: an 8B model on an A100. Only what it costs beside others matters. */
export const UNIT_MS_PRIOR = 0.07;
/** What a first byte takes beside its prompt: a step of the engine. */
export const FIRST_BYTE_UNITS = 150;
const FADE_MS = 60_000;
const CLIP = 5;
const PEER_REQUESTS = 10;
