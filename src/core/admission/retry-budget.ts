import { RateWindow } from "../kit/rate-window.ts";

/**
 * How many retries are allowed: a share of the requests of the last 10 s, or a few a second where that is
 * more, so that a quiet service can retry at all. A failing fleet then gets at most that share of further
 * load (P18, retry storms).
 * Source: Finagle RetryBudget (20 % over 10 s); Envoy's floor is an alternative to the share, as here: in
 * addition to it a fleet at 200 requests a second would get 20.5 %.
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
    const byShare = this.#share * this.#requests.total(nowMs);
    return Math.max(byShare, this.#perSecondMin * RateWindow.SPAN_SECONDS);
  }
}
