import type { QueueOptions } from "./admission/wait-queue.ts";
import type { OutlierOptions } from "./health/outlier.ts";
import type { ProbeThresholds } from "./health/probe-state.ts";
import type { SlowdownOptions } from "./health/slowdown.ts";

/** How a pool behaves, apart from its policy and its members. */
export interface PoolOptions {
  /** Ejection by real work; null is off. */
  readonly outlier: OutlierLimits | null;
  readonly slowdown: SlowdownOptions | null;
  readonly probes: ProbeThresholds;
  /** Ramp of weight and limit for endpoints that come (back) while the pool is running; 0 is off. */
  readonly slowStartMs: number;
  readonly queue: QueueOptions | null;
  /** What session work does when its home is full. */
  readonly sessionWhenFull: "spill" | "wait";
  /** When the next priority group serves: when the one before is down, or already when it is full. */
  readonly failover: "down" | "full";
}

/** The rules of ejection, and how much of a pool they may take out. */
export interface OutlierLimits extends OutlierOptions {
  /**
   * Endpoints ejected at once, as a share of the pool, at most; 0..1. One endpoint alone is never ejected.
   */
  readonly ejectedShareMax: number;
  /** Health is ignored when less than this share is usable; 0 is never. */
  readonly panicShare: number;
}

/** The product's defaults, which the configuration reference shows too. */
export const DEFAULT_POOL_OPTIONS: PoolOptions = {
  outlier: {
    consecutive: 5,
    failures: 10,
    of: 20,
    ejectionMs: 10_000,
    ejectionMsMax: 300_000,
    ejectedShareMax: 0.5,
    panicShare: 0.5,
  },
  slowdown: { tolerance: 2, useless: 20 },
  probes: { rise: 2, fall: 3 },
  slowStartMs: 30_000,
  queue: null,
  sessionWhenFull: "spill",
  failover: "down",
};

/** For comparisons of bare policies: nothing is ejected, slowed or ramped. */
export const BARE_POOL_OPTIONS: PoolOptions = {
  ...DEFAULT_POOL_OPTIONS,
  outlier: null,
  slowdown: null,
  slowStartMs: 0,
};
