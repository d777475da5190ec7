import { RateWindow } from "../kit/rate-window.ts";

/** When there should be room again: what waits ahead, at the rate at which work ends now. */
export class RetryAfter {
  readonly #ends: RateWindow = new RateWindow();
  readonly #threads: number;

  /** `threads`: how many end work of the same kind; each sees its own ends only. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** A piece of work has ended. */
  ended(nowMs: number): void {
    this.#ends.add(nowMs);
  }

  /** Milliseconds, 1 s to 5 min, for somebody with `aheadRequests` before him. */
  estimateMs(aheadRequests: number, nowMs: number): number {
    const perSecond = (this.#ends.total(nowMs) * this.#threads) / RateWindow.SPAN_SECONDS;
    const waitMs = perSecond > 0 ? ((aheadRequests + 1) / perSecond) * 1000 : WAIT_MS_MIN;
    return Math.min(Math.max(waitMs, WAIT_MS_MIN), WAIT_MS_MAX);
  }
}

const WAIT_MS_MIN = 1_000;
const WAIT_MS_MAX = 300_000;
