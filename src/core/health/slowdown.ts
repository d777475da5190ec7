/**
 * The share of its weight that an endpoint keeps when it is slow: a slow endpoint gets less work before it
 * gets none.
 *
 * It is compared with its peers' median and with its own past; the second ratio is taken relative to how much
 * all the others slowed down meanwhile, so that nobody is blamed when everything is slow (fault 5: fail
 * open).
 */
export class Slowdown {
  readonly #options: SlowdownOptions;

  constructor(options: SlowdownOptions) {
    this.#options = options;
  }

  /** So many times slower is normal. */
  get tolerance(): number {
    return this.#options.tolerance;
  }

  /** How many times slower than it should be; 1 or less is well. NaN-safe: unknown is 1. */
  score(figures: SlowdownFigures): number {
    const { latencyMs, medianMs, pastMs, medianChange } = figures;
    if (figures.samples < SAMPLES_MIN || Number.isNaN(latencyMs)) return 1;
    const toPeers = latencyMs / medianMs;
    const toPast = latencyMs / pastMs / medianChange;
    const score = Math.max(toPeers > 0 ? toPeers : 1, toPast > 0 ? toPast : 1);
    return latencyMs - latencyMs / score < DIFFERENCE_MS_MIN ? 1 : score;
  }

  /** Weight share for a score, (0, 1]: within tolerance all of it, beyond by the square, down to 1/50. */
  share(score: number): number {
    if (score <= this.#options.tolerance) return 1;
    return Math.max(SHARE_MIN, (this.#options.tolerance / score) ** 2);
  }

  /** So slow that nothing useful comes from it. */
  isUseless(score: number): boolean {
    return score >= this.#options.useless;
  }
}

/** What slowness is judged by; NaN is unknown. */
export interface SlowdownFigures {
  latencyMs: number;
  /** The peers' median now. */
  medianMs: number;
  /** Its own long-run latency. */
  pastMs: number;
  /** Median over the pool of latency / own past: how much everything slowed down; NaN when unknown. */
  medianChange: number;
  samples: number;
}

/** How much slowness is normal, and how much is useless. */
export interface SlowdownOptions {
  /** So many times slower is still normal (hardware differs); > 1. */
  readonly tolerance: number;
  /** So many times slower is useless: ejected; > tolerance. */
  readonly useless: number;
}

/** Fewer samples say nothing. */
const SAMPLES_MIN = 10;
/** Smaller ones are noise of the machine, not of the endpoint. */
const DIFFERENCE_MS_MIN = 5;
const SHARE_MIN = 0.02;
