import { COUNT, FIGURE, type PromptFigures } from "./prompt-figures.ts";

/**
 * What new units cost beside their own time, as a share of it: the surcharge (gamma). Two things are paid by
 * others. A new block pushes an old one out of a cache: a loss, if the old one would have been asked for
 * again. How often that happens is seen: blocks that the pool has seen before, and nobody has any more,
 * beside all that were new where they went. And computing takes time that is missing to whoever comes next,
 * the more, the busier all are (as 1 / (1 - u) grows in a queue). An idle fleet with roomy caches has no
 * surcharge.
 */
export class Reuse {
  readonly #figures: PromptFigures;
  #lostBlocks = 0;
  #newBlocks = 0;
  #busyShare = 0;
  #tendedAtMs = Number.NEGATIVE_INFINITY;

  constructor(figures: PromptFigures) {
    this.#figures = figures;
  }

  /** A prompt goes to an endpoint, in blocks: seen by anybody, cached by anybody, cached there, all. */
  placed(seen: number, cached: number, matched: number, all: number, busyMs: number): void {
    const { counts } = this.#figures;
    if (seen > cached) Atomics.add(counts, COUNT.lostBlocks, seen - cached);
    Atomics.add(counts, COUNT.newBlocks, all - matched);
    Atomics.add(counts, COUNT.busyMs, Math.round(busyMs));
  }

  tend(members: number, nowMs: number): void {
    const { counts, values } = this.#figures;
    const passedMs = Math.max(0, nowMs - this.#tendedAtMs);
    this.#tendedAtMs = nowMs;
    const keep = Math.exp(-passedMs / REUSE_FADE_MS);
    this.#lostBlocks = this.#lostBlocks * keep + Atomics.exchange(counts, COUNT.lostBlocks, 0);
    this.#newBlocks = this.#newBlocks * keep + Atomics.exchange(counts, COUNT.newBlocks, 0);
    const busyMs = Atomics.exchange(counts, COUNT.busyMs, 0);
    if (passedMs > 0 && passedMs < Number.POSITIVE_INFINITY && members > 0) {
      const share = Math.min(1, busyMs / passedMs / members);
      this.#busyShare += (share - this.#busyShare) * (1 - Math.exp(-passedMs / BUSY_FADE_MS));
    }
    const lost = this.#newBlocks > 0 ? odds(this.#lostBlocks / this.#newBlocks) : 0;
    values[FIGURE.surcharge] = Math.min(SURCHARGE_MAX, LOST_WEIGHT * lost + odds(this.#busyShare));
  }
}

function odds(share: number): number {
  const bounded = Math.min(share, SHARE_MAX);
  return bounded / (1 - bounded);
}

const SURCHARGE_MAX = 4;
/** A block that has to be computed again costs when the fleet is short of time: dearer than its time. */
const LOST_WEIGHT = 4;
const SHARE_MAX = 0.95;
const REUSE_FADE_MS = 60_000;
const BUSY_FADE_MS = 20_000;
