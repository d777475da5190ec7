import { RateWindow } from "../kit/rate-window.ts";

/**
 * How many retries are allowed: a share of the requests of the last 10 s, plus a few a second so that a quiet
 * service can retry at all. A failing fleet then gets at most that much more load (P18, retry storms).
 * Source: Finagle RetryBudget (20 % over 10 s plus a floor per second).
 */
export class RetryBudget {
  readonly #share: number;
  readonly #perSecondMin: number;
  readonly #requests: RateWindow = new RateWindow();
  readonly #retries: RateWindow = new RateWindow();

  /** `share`: of the requests, 0..1; `perSecondMin`: retries a second that are always allowed. */
  constructor(share: number, perSecondMin: number) {
    this.#share = share;
    this.#perSecondMin = perSecondMin;
  }

  request(nowMs: number): void {
    this.#requests.add(nowMs);
  }

  /** Takes one retry out of the budget; false when there is none left. */
  take(nowMs: number): boolean {
    if (this.#retries.total(nowMs) + 1 > this.#allowed(nowMs)) return false;
    this.#retries.add(nowMs);
    return true;
  }

  #allowed(nowMs: number): number {
    return this.#share * this.#requests.total(nowMs) + this.#perSecondMin * RateWindow.SPAN_SECONDS;
  }
}
