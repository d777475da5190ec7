import type { Lease } from "./lease.ts";
import type { Ledger } from "./ledger.ts";

/**
 * What prompts hold once they have been computed: their units are pending no more, their context is held
 * until they end. The first byte of an answer says when that is; of one that comes as a whole, the time that
 * was expected for it.
 */
export class PromptHolds {
  readonly #ledger: Ledger;
  /** Those whose first byte will be their last, too. */
  readonly #unseen: Set<Lease> = new Set();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  opened(lease: Lease): void {
    if (lease.forecast.isStream === 0) this.#unseen.add(lease);
  }

  /** It has been computed. */
  started(lease: Lease): void {
    const { slot, generation, units, forecast, isHolding } = lease;
    if (isHolding) return;
    if (forecast.isStream === 0) this.#unseen.delete(lease);
    lease.isHolding = true;
    lease.units = 0;
    this.#ledger.begin(slot, generation, units, forecast.heldTokens);
  }

  ended(lease: Lease): void {
    const { slot, generation, forecast, isHolding } = lease;
    if (forecast.isStream === 0) this.#unseen.delete(lease);
    if (!isHolding) return;
    lease.isHolding = false;
    this.#ledger.release(slot, generation, forecast.heldTokens);
  }

  /** Time has passed. */
  tend(nowMs: number): void {
    for (const lease of this.#unseen) {
      if (nowMs - lease.bookedAtMs >= lease.forecast.prefillMs) this.started(lease);
    }
  }
}
