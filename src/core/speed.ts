import { SteadySpeed } from "./health/steady-speed.ts";
import type { Ledger } from "./ledger.ts";

/**
 * How long work takes on each endpoint, learned from the answers themselves.
 *
 * Two estimates a slot, in milliseconds per unit to the first byte:
 * - `latencyMs`, typical: a time-decayed mean of real samples, outliers clipped. Ties, and the shares of
 * those that are slow, go by it.
 * - `peakMs`, pessimistic: jumps up to any worse sample and comes down slowly; failures book a penalty,
 * aborted
 *   requests count as "at least this long". `peak_ewma` goes by it.
 *
 * Whether one is slow at all is judged by a third one, which moves less: {@link SteadySpeed}.
 *
 * Sources: Finagle PeakEwma (peak, decay 10 s); linkerd2-proxy load biaser (penalty of a failure); the
 * geometric raise for censored samples is ours: without it, clients that give up after 1 s teach at most "1
 * s".
 */
export class Speed {
  readonly #ledger: Ledger;
  /** Begin of the attempt that raised the estimate last: an attempt begun before says nothing new. */
  readonly #raisedAtMs: Float64Array;
  /** Median `latencyMs` of the members at the last {@link age}; NaN while nobody knows. */
  medianMs: number = Number.NaN;
  readonly #scratch: Float64Array;
  readonly #steady: SteadySpeed;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#steady = new SteadySpeed(ledger);
    this.#raisedAtMs = new Float64Array(ledger.slotsMax);
    this.#scratch = new Float64Array(ledger.slotsMax);
  }

  forget(slot: number): void {
    this.#raisedAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.#steady.forget(slot);
  }

  /** A real sample: the first byte came after `ms` per unit. */
  observe(slot: number, ms: number, nowMs: number): void {
    this.#learnTypical(slot, ms, nowMs);
    this.#steady.observe(slot, ms);
    this.#raisedAtMs[slot] = Number.NEGATIVE_INFINITY;
    const { peakMs, costMs, sampledAtMs } = this.#ledger;
    const current = this.#agedPeak(slot, nowMs);
    if (Number.isNaN(current)) {
      // The first answers of a new endpoint are its fastest: they do not make it better than its peers (P1).
      peakMs[slot] = Number.isNaN(this.medianMs) ? ms : Math.max(ms, costMs[slot]!);
    } else {
      const keep = Math.exp(-(nowMs - sampledAtMs[slot]!) / DECAY_MS);
      peakMs[slot] = ms >= current ? ms : current * keep + ms * (1 - keep);
    }
    costMs[slot] = Math.max(peakMs[slot], COST_MS_MIN);
    sampledAtMs[slot] = nowMs;
  }

  /**
   * A censored sample: the client left after `ms` without a first byte, on an attempt begun at `beganAtMs`.
   */
  observeAtLeast(slot: number, ms: number, beganAtMs: number, nowMs: number): void {
    // Shorter than what is usual here says nothing.
    const usualMs = Number.isNaN(this.medianMs) ? 0 : this.medianMs;
    if (ms < usualMs) return;
    const current = this.#agedPeak(slot, nowMs);
    const isNews = beganAtMs >= this.#raisedAtMs[slot]!;
    const wasRaised = this.#raisedAtMs[slot]! > Number.NEGATIVE_INFINITY;
    let estimate = Math.max(ms, Number.isNaN(current) ? 0 : current);
    if (isNews && wasRaised) estimate = Math.min(estimate * 2, ESTIMATE_MS_MAX);
    if (isNews) this.#raisedAtMs[slot] = nowMs;
    this.#bookPeak(slot, estimate, nowMs);
    const typical = this.#ledger.latencyMs[slot]!;
    if (typical >= ms) return;
    this.#learnTypical(slot, ms, nowMs);
    const steady = this.#ledger.steadyMs[slot]!;
    this.#steady.observe(slot, steady > ms ? steady : ms);
  }

  /** A failure: counts as an answer after `penaltyMs`. */
  observeFailure(slot: number, penaltyMs: number, nowMs: number): void {
    const current = this.#agedPeak(slot, nowMs);
    this.#bookPeak(slot, current > penaltyMs ? current : penaltyMs, nowMs);
  }

  /** Brings the costs of these slots up to date; to be called every 100 ms or so. */
  age(slots: Int32Array, count: number, nowMs: number): void {
    const { latencyMs, costMs } = this.#ledger;
    this.#steady.fold(slots.subarray(0, count), nowMs);
    this.medianMs = median(latencyMs, slots, count, this.#scratch);
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      costMs[slot] = Number.isNaN(latencyMs[slot]!) ? Number.NaN : this.#agedPeak(slot, nowMs);
    }
    // An unknown one is like its peers: peaks are set against peaks, or it would look faster than they (P1).
    const usualMs = median(costMs, slots, count, this.#scratch);
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      const aged = this.#agedPeak(slot, nowMs);
      const known = Number.isNaN(aged) ? usualMs : aged;
      costMs[slot] = Number.isNaN(known) ? COST_MS_MIN : Math.max(known, COST_MS_MIN);
    }
  }

  /**
   * What was worse than the peers' median is forgiven with time, so that nobody is shut out for ever (P2).
   */
  #agedPeak(slot: number, nowMs: number): number {
    const peak = this.#ledger.peakMs[slot]!;
    const floor = this.medianMs;
    if (!(peak > floor)) return peak;
    return floor + (peak - floor) * Math.exp(-(nowMs - this.#ledger.sampledAtMs[slot]!) / DECAY_MS);
  }

  #bookPeak(slot: number, estimateMs: number, nowMs: number): void {
    this.#ledger.peakMs[slot] = estimateMs;
    this.#ledger.costMs[slot] = Math.max(estimateMs, COST_MS_MIN);
    this.#ledger.sampledAtMs[slot] = nowMs;
  }

  #learnTypical(slot: number, ms: number, nowMs: number): void {
    const { latencyMs, samples, sampledAtMs } = this.#ledger;
    const seen = ++samples[slot]!;
    const current = latencyMs[slot]!;
    if (Number.isNaN(current)) {
      latencyMs[slot] = ms;
      return;
    }
    const byTime = 1 - Math.exp(-(nowMs - sampledAtMs[slot]!) / TYPICAL_MS);
    const gain = Math.max(byTime, SAMPLE_GAIN_MIN, 1 / seen);
    const clipped = Math.min(ms, Math.max(current, COST_MS_MIN) * CLIP);
    latencyMs[slot] = current + (clipped - current) * gain;
  }
}

/** Time in which a bad sample loses all but 1/e of its weight (Finagle, linkerd2-proxy: 10 s). */
export const DECAY_MS = 10_000;

/** What a failure costs at least, and what a `Retry-After` is believed at most (linkerd2-proxy). */
export const PENALTY_MS_MIN = 5_000;
export const PENALTY_MS_MAX = 300_000;

const ESTIMATE_MS_MAX = 300_000;
const TYPICAL_MS = 5_000;
/** At high rates the mean goes over the last 20 samples or so, whatever the time. */
const SAMPLE_GAIN_MIN = 0.05;
/** One sample counts as at most that many times what was usual. */
const CLIP = 10;
/**
 * Never zero: an endpoint that answered in no time is not free (linkerd2-proxy floors its seed at 1 ms too).
 */
const COST_MS_MIN = 0.01;

/**
 * The median of the known values (not NaN) of `column` at these slots; NaN when none is known. O(n log n).
 */
export function median(
  column: Float64Array,
  slots: Int32Array,
  count: number,
  scratch: Float64Array,
): number {
  let known = 0;
  for (let i = 0; i < count; i++) {
    const value = column[slots[i]!]!;
    if (!Number.isNaN(value)) scratch[known++] = value;
  }
  if (known === 0) return Number.NaN;
  const sorted = scratch.subarray(0, known).sort();
  const middle = known >> 1;
  // The lower of two middles: with two endpoints, the slow one is measured against the fast one.
  return known % 2 === 1 ? sorted[middle]! : sorted[middle - 1]!;
}
