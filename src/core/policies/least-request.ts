import type { Random } from "../kit/random.ts";
import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The endpoint with the fewest requests in flight for its weight, exactly, over the whole pool; ties at
 * random.
 * When to use: requests that differ in length; the safe choice when nothing is known about them.
 * When not: one endpoint is slower than its weight says and deadlines are short: see `peak_ewma`.
 * Cost: O(n) a pick (1,000 endpoints: see bench/RESULTS.md), no allocation.
 * Source: HAProxy leastconn, Envoy LEAST_REQUEST with FULL_SCAN; cost (in flight + 1) / weight. Requests that
 * failed in no time count for a while (`burden`), or the endpoint that fails would look idle (P3).
 */
export const leastRequest: PolicySpec = {
  name: "least_request",
  summary: "the fewest requests in flight for its weight, exactly; ties at random",
  options: NO_OPTIONS,
  create: (_options, kit) => new LeastRequest(kit.random),
};

class LeastRequest implements Policy {
  readonly #random: Random;

  constructor(dice: Random) {
    this.#random = dice;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    const { inFlight, burden, weight } = view.ledger;
    let best = -1;
    let bestLoad = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const load = (inFlight[slot]! + burden[slot]! + 1) / weight[slot]!;
      if (load < bestLoad) {
        bestLoad = load;
        best = slot;
        ties = 1;
      } else if (load === bestLoad) {
        // Each of k equals ends up chosen with probability 1/k (reservoir of size one).
        ties++;
        if (this.#random.below(ties) === 0) best = slot;
      }
    }
    return best;
  }
}
