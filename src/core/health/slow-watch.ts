/**
 * Whether one endpoint counts as slow. What is measured is never still: so it takes more to be called slow
 * than to stay it, and both take some time and some answers. Who is called slow again and again has to be
 * well for longer each time (as in BGP's route flap damping, RFC 2439).
 */
export class SlowWatch {
  isSlow = false;
  /** Since when, and since which sample, the figures say the opposite of {@link isSlow}; NaN: they do not. */
  #sinceMs = Number.NaN;
  #sinceSample = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;
  #relapses = 0;

  /**
   * `score`: how many times slower than it should be; `samples`: how many were taken so far; `tolerance`: so
   * many times slower is normal. To be called every 100 ms or so; true when {@link isSlow} has changed.
   */
  step(score: number, samples: number, tolerance: number, nowMs: number): boolean {
    const isOpposite = this.isSlow ? score < Math.sqrt(tolerance) : score > tolerance;
    if (!isOpposite) {
      this.#sinceMs = Number.NaN;
      return false;
    }
    // The count of samples begins anew where the endpoint was ejected.
    if (Number.isNaN(this.#sinceMs) || samples < this.#sinceSample) {
      this.#sinceMs = nowMs;
      this.#sinceSample = samples;
    }
    const neededMs = this.isSlow ? this.#wellMs : SLOW_MS;
    const needed = this.isSlow ? WELL_SAMPLES : SLOW_SAMPLES;
    if (nowMs - this.#sinceMs < neededMs || samples - this.#sinceSample < needed) return false;
    this.#turn(nowMs);
    return true;
  }

  /** Something stronger was decided: it is not called slow, nor recovered. */
  clear(): void {
    this.isSlow = false;
    this.#sinceMs = Number.NaN;
  }

  /** For another process. */
  dump(nowMs: number): SlowData {
    return {
      isSlow: this.isSlow,
      relapses: this.#relapses,
      recoveredAgoMs: nowMs - this.#recoveredAtMs,
    };
  }

  /** Goes on where that one was. */
  load({ isSlow, relapses, recoveredAgoMs }: SlowData, nowMs: number): void {
    this.clear();
    this.isSlow = isSlow;
    this.#relapses = relapses;
    this.#recoveredAtMs = nowMs - recoveredAgoMs;
  }

  get #wellMs(): number {
    return Math.min(WELL_MS * 2 ** this.#relapses, WELL_MS_MAX);
  }

  #turn(nowMs: number): void {
    this.isSlow = !this.isSlow;
    this.#sinceMs = Number.NaN;
    if (!this.isSlow) this.#recoveredAtMs = nowMs;
    else if (nowMs - this.#recoveredAtMs < RELAPSE_MS) this.#relapses++;
    else this.#relapses = 0;
  }
}

/** What a {@link SlowWatch} knows, as plain data; times are distances from now in milliseconds. */
export interface SlowData {
  readonly isSlow: boolean;
  readonly relapses: number;
  readonly recoveredAgoMs: number;
}

/** What it takes to be called slow. */
const SLOW_MS = 1_000;
const SLOW_SAMPLES = 4;
/** What it takes to be well again; the time doubles with each relapse. */
const WELL_MS = 10_000;
const WELL_MS_MAX = 300_000;
const WELL_SAMPLES = 10;
/** Slow again within that time is a relapse. */
const RELAPSE_MS = 600_000;
