import type { InferenceBook } from "./inference-memory.ts";

/**
 * How fast each endpoint computes prompts, learned from first bytes: milliseconds a new token, of a prompt or
 * of those that waited before it. A ratio of sums that fade with time: long prompts say most, as they should,
 * and what a first byte costs beside its tokens is taken as a few more tokens. One that is unknown is like
 * the median of its peers.
 *
 * What a held token costs each step is not measured: it stands in a proportion to the prefill that is alike
 * over the engines whose figures are published (a tenth of it more or less changes no choice).
 */
export class TokenSpeed {
  readonly #book: InferenceBook;
  /** By slot: decayed sums of milliseconds and of tokens, and when they were decayed. */
  readonly #sumMs: Float64Array;
  readonly #sumTokens: Float64Array;
  readonly #atMs: Float64Array;
  readonly #known: number[] = [];

  constructor(book: InferenceBook) {
    const { length } = book.prefillMs;
    this.#book = book;
    this.#sumMs = new Float64Array(length);
    this.#sumTokens = new Float64Array(length);
    this.#atMs = new Float64Array(length);
  }

  forget(slot: number): void {
    this.#sumMs[slot] = 0;
    this.#sumTokens[slot] = 0;
    this.#book.prefillMs[slot] = 0;
    this.#book.heldMs[slot] = 0;
  }

  /** A first byte came after `ms`, for which `tokens` new ones had to be computed. */
  observe(slot: number, tokens: number, ms: number, nowMs: number): void {
    const load = tokens + FIRST_BYTE_TOKENS;
    const known = this.#sumTokens[slot]! > 0 ? this.#sumMs[slot]! / this.#sumTokens[slot]! : Number.NaN;
    const clippedMs = Math.min(ms, Number.isNaN(known) ? ms : known * load * CLIP);
    const keep = Math.exp(-Math.max(0, nowMs - this.#atMs[slot]!) / FADE_MS);
    this.#sumMs[slot] = this.#sumMs[slot]! * keep + clippedMs;
    this.#sumTokens[slot] = this.#sumTokens[slot]! * keep + load;
    this.#atMs[slot] = nowMs;
    this.#publish(slot, this.#sumMs[slot] / this.#sumTokens[slot]);
  }

  /** Those of whom nothing is known become like their peers. */
  tend(slots: Int32Array): void {
    const known = this.#known;
    known.length = 0;
    for (const slot of slots) {
      if (this.#sumTokens[slot]! > 0) known.push(this.#book.prefillMs[slot]!);
    }
    if (known.length === 0 || known.length === slots.length) return;
    known.sort((a, b) => a - b);
    const median = known[(known.length - 1) >> 1]!;
    for (const slot of slots) if (this.#sumTokens[slot] === 0) this.#publish(slot, median);
  }

  #publish(slot: number, prefillMs: number): void {
    this.#book.prefillMs[slot] = prefillMs;
    this.#book.heldMs[slot] = prefillMs * HELD_SHARE;
  }
}

/** Before anything is known, of anybody: an 8B model on an A100. Only the ratio to other costs matters. */
export const PREFILL_MS_PRIOR = 0.07;
/** What a first byte takes beside its prompt, as tokens: one step of the engine. */
export const FIRST_BYTE_TOKENS = 150;
/** 8.2e-8 s for a held token beside 6.65e-5 s for a new one: an 8B model on an A100, by Vidur's profile. */
export const HELD_SHARE: number = 1 / 811;
const FADE_MS = 15_000;
const CLIP = 5;
