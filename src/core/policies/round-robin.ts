import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * Smooth weighted round robin: everyone in turn, by weight, without bursts (5/1/1 gives A A B A C A A).
 * When to use: requests of equal cost on equal machines; to compare others with.
 * When not: requests that differ in length (LLMs): count-blind splitting lets queues grow beside idle
 * machines.
 * Cost: O(n) a pick, no allocation.
 * Source: nginx `ngx_http_upstream_get_peer` (2012). Only those that can be picked take part in a round, so
 * that a dead server's share is spread over all others by weight (P9: Caddy hands it to the next in the
 * list).
 */
export const roundRobin: PolicySpec = {
  name: "round_robin",
  summary: "everyone in turn, by weight, without bursts",
  options: NO_OPTIONS,
  create: (_options, kit) => new RoundRobin(kit.slotsMax),
};

class RoundRobin implements Policy {
  readonly #credit: Float64Array;

  constructor(slotsMax: number) {
    this.#credit = new Float64Array(slotsMax);
  }

  joined(slot: number): void {
    this.#credit[slot] = 0;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    const { weight } = view.ledger;
    const credit = this.#credit;
    let best = -1;
    let bestCredit = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const earned = weight[slot]!;
      const now = credit[slot]! + earned;
      credit[slot] = now;
      total += earned;
      if (now > bestCredit) {
        bestCredit = now;
        best = slot;
      }
    }
    if (best >= 0) credit[best] = bestCredit - total;
    return best;
  }
}
