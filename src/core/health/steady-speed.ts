import type { Ledger } from "../ledger.ts";

/**
 * The figure by which slowness is judged: the geometric mean (`ledger.steadyMs`) of the last 20 samples or
 * of the last 3 seconds, whichever are more.
 *
 * The typical latency (`latencyMs`) can not be it: it follows the last few samples where they are rare, and
 * a few long ones carry a mean away. Latencies are spread as their logarithms are, so that twice as long and
 * half as long weigh the same here. What came within one step counts as one: a host that stood still lets go
 * of all its answers at once, and says the same thing many times.
 */
export class SteadySpeed {
  readonly #ledger: Ledger;
  /** Since the last {@link fold}: how many samples, and the sum of their logarithms. */
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;
  readonly #foldedAtMs: Float64Array;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#counts = new Float64Array(ledger.slotsMax);
    this.#sums = new Float64Array(ledger.slotsMax);
    this.#foldedAtMs = new Float64Array(ledger.slotsMax).fill(Number.NEGATIVE_INFINITY);
  }

  forget(slot: number): void {
    this.#counts[slot] = 0;
    this.#sums[slot] = 0;
    this.#foldedAtMs[slot] = Number.NEGATIVE_INFINITY;
  }

  /** One sample, which is counted in `ledger.samples` as well. */
  observe(slot: number, ms: number): void {
    const known = Math.max(ms, MS_MIN);
    const current = this.#ledger.steadyMs[slot]!;
    const clipped = Number.isNaN(current) ? known : Math.min(Math.max(known, current / CLIP), current * CLIP);
    this.#counts[slot]! += 1;
    this.#sums[slot]! += Math.log(clipped);
  }

  /** Brings these slots up to date; to be called every 100 ms or so. */
  fold(slots: Int32Array, nowMs: number): void {
    for (const slot of slots) {
      const count = this.#counts[slot]!;
      if (count === 0) continue;
      this.#learn(slot, this.#sums[slot]! / count, this.#gain(slot, count, nowMs));
      this.#counts[slot] = 0;
      this.#sums[slot] = 0;
      this.#foldedAtMs[slot] = nowMs;
    }
  }

  #learn(slot: number, mean: number, gain: number): void {
    const { steadyMs } = this.#ledger;
    const current = steadyMs[slot]!;
    const before = Number.isNaN(current) ? mean : Math.log(current);
    steadyMs[slot] = Math.exp(before + (mean - before) * gain);
  }

  #gain(slot: number, count: number, nowMs: number): number {
    const byTime = 1 - Math.exp(-(nowMs - this.#foldedAtMs[slot]!) / WINDOW_MS);
    // The first ones are a plain mean.
    return Math.max(Math.min(SAMPLE_GAIN, byTime), Math.min(1, count / this.#ledger.samples[slot]!));
  }
}

const SAMPLE_GAIN = 1 / 20;
const WINDOW_MS = 3_000;
/** One sample counts as at most that many times longer or shorter than what was usual. */
const CLIP = 10;
const MS_MIN = 0.01;
