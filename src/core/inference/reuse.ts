import { COUNT, FIGURE, type InferenceBook } from "./inference-memory.ts";

/**
 * What one more copy of a prefix costs: the surcharge (gamma) on new tokens. A new token pushes an old one
 * out of a cache; that is a loss if the old one would have been asked for again. How often that happens is
 * seen: blocks that the pool has seen before, and nobody has any more, beside all that were new where they
 * went. An idle or roomy cache loses nothing, and there the surcharge is zero.
 */
export class Reuse {
  readonly #book: InferenceBook;
  #lost = 0;
  #new = 0;
  #tendedAtMs = Number.NEGATIVE_INFINITY;

  constructor(book: InferenceBook) {
    this.#book = book;
  }

  /** A prompt goes to an endpoint. All in blocks: seen anywhere, cached by somebody, cached there, of all. */
  placed(seen: number, cached: number, matched: number, all: number): void {
    const { counts } = this.#book;
    Atomics.add(counts, COUNT.seen, Math.max(seen, cached));
    Atomics.add(counts, COUNT.cached, cached);
    Atomics.add(counts, COUNT.new, all - matched);
  }

  tend(nowMs: number): void {
    const { counts, figures } = this.#book;
    const seen = Atomics.exchange(counts, COUNT.seen, 0);
    const cached = Atomics.exchange(counts, COUNT.cached, 0);
    const passedMs = Math.max(0, nowMs - this.#tendedAtMs);
    const keep = Math.exp(-passedMs / FADE_MS);
    this.#tendedAtMs = nowMs;
    this.#lost = this.#lost * keep + seen - cached;
    this.#new = this.#new * keep + Atomics.exchange(counts, COUNT.new, 0);
    const share = this.#new > 0 ? Math.min(this.#lost / this.#new, 0.999) : 0;
    figures[FIGURE.surcharge] = Math.min(SURCHARGE_MAX, (STRENGTH * share) / (1 - share));
  }
}

export const SURCHARGE_MAX = 4;
const STRENGTH = 4;
const FADE_MS = 60_000;
