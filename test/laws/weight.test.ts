// Law: where work is in flight everywhere, the share follows the weight, also when weights change on the way.
import assert from "node:assert/strict";

import { closedLoop, equals, law, makeFleet, SPREADING } from "./law.ts";

const REQUESTS = 8_000;

law(
  "share follows weight",
  (policy, seed) => {
    const fleet = makeFleet(policy, seed, { specs: weighted([3, 2, 2, 1]) });
    assertFollows(closedLoop(fleet, REQUESTS, 80), [3, 2, 2, 1], policy);
    fleet.pool.update(weighted([1, 2, 2, 3]));
    assertFollows(closedLoop(fleet, REQUESTS, 80), [1, 2, 2, 3], policy);
  },
  { policies: SPREADING },
);

law(
  "an operator's weight counts at once",
  (policy, seed) => {
    const fleet = makeFleet(policy, seed, { specs: weighted([2, 2, 2]) });
    fleet.pool.members.get("b0")!.weightOverride = 1;
    fleet.pool.changed();
    assertFollows(closedLoop(fleet, REQUESTS, 80), [1, 2, 2], policy);
  },
  { policies: SPREADING },
);

function weighted(weights: readonly number[]): ReturnType<typeof equals> {
  return equals(weights.length, (index) => ({ weight: weights[index]! }));
}

function assertFollows(
  shares: ReadonlyMap<string, number>,
  weights: readonly number[],
  policy: string,
): void {
  // Dice: four sigma of the lightest endpoint's 1,000 picks.
  const tolerance = ["random", "hash"].includes(policy) ? 0.13 : 0.05;
  const total = weights.reduce((sum, weight) => sum + weight);
  for (const [index, weight] of weights.entries()) {
    const got = shares.get(`b${index}`) ?? 0;
    const due = weight / total;
    const told = `b${index} got ${(got * 100).toFixed(2)} %, its due is ${(due * 100).toFixed(2)} %`;
    assert.ok(Math.abs(got / due - 1) <= tolerance, told);
  }
}
