import type { Random } from "../kit/random.ts";
import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * A weighted throw of the dice; looks at nothing else.
 * When to use: many balancers before very many equal endpoints; as the zero line of a comparison.
 * When not: almost always (at 90 % load its mean response is five times that of least_request).
 * Cost: O(n) a pick, one throw, no allocation.
 * Source: roulette-wheel selection; HAProxy `random(1)`, Envoy `random`.
 */
export const random: PolicySpec = {
  name: "random",
  summary: "a weighted throw of the dice",
  options: NO_OPTIONS,
  create: (_options, kit) => new RandomPolicy(kit.random),
};

class RandomPolicy implements Policy {
  readonly #random: Random;

  constructor(dice: Random) {
    this.#random = dice;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    const { weight } = view.ledger;
    let total = 0;
    for (let i = 0; i < count; i++) total += weight[candidates[i]!]!;
    let point = this.#random.float() * total;
    for (let i = 0; i < count; i++) {
      point -= weight[candidates[i]!]!;
      if (point < 0) return candidates[i]!;
    }
    // Rounding may leave a hair's breadth at the end.
    return count === 0 ? -1 : candidates[count - 1]!;
  }
}
