import type { Random } from "../kit/random.ts";
import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * Power of two choices: draws two different endpoints and takes the one with less in flight.
 * When to use: several balancers before one fleet, or thousands of endpoints.
 * When not: few endpoints with slow requests: of two it takes the busier one in a quarter of Envoy's draws
 * (with replacement; never here), and it can not see the idle third (P7). There `least_request` looks at all
 * of them.
 * Cost: O(1) a pick, no allocation.
 * Source: Mitzenmacher, The Power of Two Choices (1996); Finagle P2C for the draw without replacement.
 */
export const p2c: PolicySpec = {
  name: "p2c",
  summary: "draws two, takes the one with less in flight",
  options: NO_OPTIONS,
  create: (_options, kit) => new PowerOfTwo(kit.random),
};

class PowerOfTwo implements Policy {
  readonly #random: Random;

  constructor(dice: Random) {
    this.#random = dice;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    if (count <= 1) return count === 0 ? -1 : candidates[0]!;
    const first = this.#random.below(count);
    // The second draw goes over the others: skip the hole that the first one left.
    let second = this.#random.below(count - 1);
    if (second >= first) second++;
    const a = candidates[first]!;
    const b = candidates[second]!;
    const { inFlight, burden, weight } = view.ledger;
    const loadA = (inFlight[a]! + burden[a]! + 1) / weight[a]!;
    const loadB = (inFlight[b]! + burden[b]! + 1) / weight[b]!;
    return loadB < loadA ? b : a;
  }
}
