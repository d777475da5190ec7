import type { Endpoint } from "./endpoint.ts";
import type { Slowdown, SlowdownFigures } from "./health/slowdown.ts";
import type { Ledger } from "./ledger.ts";
import type { Members } from "./members.ts";
import { median, type Speed } from "./speed.ts";

/**
 * Which endpoints are slow, and what share that leaves them.
 *
 * Two scores: by the steady latency it is decided who counts as slow; only those lose share, by the typical
 * latency, which follows sooner when one is well again.
 */
export class Slowness {
  readonly #ledger: Ledger;
  readonly #members: Members;
  readonly #speed: Speed;
  readonly #changes: Float64Array;
  readonly #scratch: Float64Array;
  readonly #steadyScores: Float64Array;
  readonly #typicalScores: Float64Array;
  /** Tends from which the own past is learned, up to {@link PAST_TENDS}; so many where it was handed over. */
  readonly #pastTends: Float64Array;
  readonly #figures: SlowdownFigures = { latencyMs: 0, medianMs: 0, pastMs: 0, medianChange: 0, samples: 0 };

  constructor(ledger: Ledger, members: Members, speed: Speed) {
    this.#ledger = ledger;
    this.#members = members;
    this.#speed = speed;
    const column = (): Float64Array => new Float64Array(ledger.slotsMax);
    this.#changes = column();
    this.#scratch = column();
    this.#steadyScores = column();
    this.#typicalScores = column();
    this.#pastTends = column().fill(PAST_TENDS);
  }

  /**
   * To be called every 100 ms or so; sets `slowShare` of all members. `told`: that one is slow from now on,
   * or no longer, or useless (by then called slow). O(n log n).
   */
  judge(slowdown: Slowdown, nowMs: number, told: (verdict: SlownessVerdict) => void): void {
    const { slots, list } = this.#members;
    const { latencyMs, steadyMs, samples } = this.#ledger;
    const steadyMedianMs = median(steadyMs, slots, slots.length, this.#scratch);
    this.#rate(slowdown, steadyMs, steadyMedianMs, this.#steadyScores);
    this.#rate(slowdown, latencyMs, this.#speed.medianMs, this.#typicalScores);
    for (const endpoint of list) {
      const { health, slot } = endpoint;
      const steady = this.#steadyScores[slot]!;
      const typical = this.#typicalScores[slot]!;
      const { slow } = health;
      const hasTurned = slow.step(steady, samples[slot]!, slowdown.tolerance, nowMs);
      health.slowShare = slow.isSlow ? slowdown.share(typical) : 1;
      this.#planExploring(slot, slow.isSlow, nowMs);
      // While it is out it is not measured: that is neither its normal state nor a recovery.
      if (!slow.isSlow && health.outlier.kind === "admitted") this.#learnPast(slot);
      if (hasTurned) told({ kind: slow.isSlow ? "slowed" : "recovered", endpoint, score: steady });
      // By both: a steady one may be old, and a typical one made by two answers.
      const isUseless = slow.isSlow && slowdown.isUseless(Math.min(steady, typical));
      if (isUseless && this.#isMeasured(slot, nowMs)) told({ kind: "useless", endpoint, score: typical });
    }
  }

  #rate(slowdown: Slowdown, column: Float64Array, medianMs: number, scores: Float64Array): void {
    const { pastMs, samples } = this.#ledger;
    const { slots } = this.#members;
    for (const slot of slots) this.#changes[slot] = column[slot]! / pastMs[slot]!;
    const figures = this.#figures;
    figures.medianMs = medianMs;
    figures.medianChange = median(this.#changes, slots, slots.length, this.#scratch);
    for (const slot of slots) {
      figures.latencyMs = column[slot]!;
      figures.pastMs = this.#pastTends[slot]! < PAST_TENDS_MIN ? Number.NaN : pastMs[slot]!;
      figures.samples = samples[slot]!;
      scores[slot] = slowdown.score(figures);
    }
  }

  /** Without a sample for some time it is given a request: else nobody would see that it is well (P2). */
  #planExploring(slot: number, isSlow: boolean, nowMs: number): void {
    const { exploreAtMs, sampledAtMs } = this.#ledger;
    const planned = exploreAtMs[slot]!;
    if (!isSlow) exploreAtMs[slot] = Number.POSITIVE_INFINITY;
    else if (planned === Number.POSITIVE_INFINITY) exploreAtMs[slot] = nowMs + EXPLORE_MS;
    else exploreAtMs[slot] = Math.max(planned, sampledAtMs[slot]! + EXPLORE_MS);
  }

  /** Measured lately: what is known from long ago ejects nobody. */
  #isMeasured(slot: number, nowMs: number): boolean {
    return nowMs - this.#ledger.sampledAtMs[slot]! < MEASURED_MS;
  }

  /** At first a plain mean, so that its first answers do not count for ten minutes. */
  #learnPast(slot: number): void {
    const { steadyMs, pastMs, samples } = this.#ledger;
    if (samples[slot]! < PAST_SAMPLES_MIN) return;
    const past = pastMs[slot]!;
    const tends = Number.isNaN(past) ? 1 : Math.min(this.#pastTends[slot]! + 1, PAST_TENDS);
    this.#pastTends[slot] = tends;
    pastMs[slot] = Number.isNaN(past) ? steadyMs[slot]! : past + (steadyMs[slot]! - past) / tends;
  }
}

/** What has been found out about one endpoint. */
export interface SlownessVerdict {
  readonly kind: "slowed" | "recovered" | "useless";
  readonly endpoint: Endpoint;
  /** How many times slower than it should be. */
  readonly score: number;
}

/** A slow endpoint has a request at least so often. */
export const EXPLORE_MS = 2_000;

/** The own past goes over the last 10 minutes or so, and counts when it is a minute long. */
const PAST_TENDS = 6_000;
const PAST_TENDS_MIN = 600;
/** Before that an endpoint's figures say too little to be held against it for long. */
const PAST_SAMPLES_MIN = 20;
const MEASURED_MS = 5_000;
