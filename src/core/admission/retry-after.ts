import { RateWindow } from "../kit/rate-window.ts";

/**
 * When there should be room again: what waits ahead, at the rate at which work ends. Where nothing ended in
 * the window (streams take minutes), the time since the last end is the best guess of their distance.
 */
export class RetryAfter {
  readonly #ends: RateWindow = new RateWindow();
  readonly #threads: number;
  #beganAtMs = Number.NaN;
  #lastEndAtMs = Number.NaN;

  /** `threads`: how many end work of the same kind; each sees its own ends only. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** A piece of work has begun. */
  began(nowMs: number): void {
    if (Number.isNaN(this.#beganAtMs)) this.#beganAtMs = nowMs;
  }

  /** A piece of work has ended. */
  ended(nowMs: number): void {
    this.#ends.add(nowMs);
    this.#lastEndAtMs = nowMs;
  }

  /** Milliseconds, 1 s to 5 min, for somebody with `aheadRequests` before him. */
  estimateMs(aheadRequests: number, nowMs: number): number {
    const waitMs = ((aheadRequests + 1) * this.#distanceMs(nowMs)) / this.#threads;
    return Math.min(Math.max(waitMs, WAIT_MS_MIN), WAIT_MS_MAX);
  }

  /** Between two ends of this thread's work. */
  #distanceMs(nowMs: number): number {
    if (Number.isNaN(this.#beganAtMs)) return 0;
    const ends = this.#ends.total(nowMs);
    const spanMs = Math.min(RateWindow.SPAN_SECONDS * 1000, nowMs - this.#beganAtMs);
    if (ends > 0) return spanMs / ends;
    return nowMs - (Number.isNaN(this.#lastEndAtMs) ? this.#beganAtMs : this.#lastEndAtMs);
  }
}

const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 300_000;
