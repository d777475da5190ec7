import type { Random } from "../kit/random.ts";
import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The endpoint where an answer would begin soonest: peak-sensitive latency x (in flight + 1) / weight, over
 * the pool.
 * When to use: endpoints of unequal or changing speed, short deadlines, retries that hurt.
 * When not: latency says more about the request than about the endpoint (long and short prompts mixed).
 * Cost: O(n) a pick, no allocation.
 * Source: Finagle PeakEwma, linkerd2-proxy (30 ms seed replaced by the peers' median, so that a new endpoint
 * is neither free nor shunned: P1, P2). `core/speed.ts` learns the latencies, with penalties and censored
 * samples.
 */
export const peakEwma: PolicySpec = {
  name: "peak_ewma",
  summary: "where an answer would begin soonest: peak latency x requests in flight",
  options: NO_OPTIONS,
  create: (_options, kit) => new PeakEwma(kit.random),
};

class PeakEwma implements Policy {
  readonly #random: Random;

  constructor(dice: Random) {
    this.#random = dice;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    const { inFlight, weight, costMs } = view.ledger;
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const cost = (costMs[slot]! * (inFlight[slot]! + 1)) / weight[slot]!;
      if (cost < bestCost) {
        bestCost = cost;
        best = slot;
        ties = 1;
      } else if (cost === bestCost) {
        ties++;
        if (this.#random.below(ties) === 0) best = slot;
      }
    }
    return best;
  }
}
