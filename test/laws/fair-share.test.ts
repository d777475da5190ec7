// Law: equals get equal shares; `fill`, whose purpose is the opposite, fills in order.
import assert from "node:assert/strict";
import { test } from "node:test";

import { unevenness } from "../scenarios/experiments.ts";
import { closedLoop, equals, law, makeFleet, send, SPREADING } from "./law.ts";

const REQUESTS = 8_000;

law(
  "equals get equal shares",
  (policy, seed) => {
    const shares = closedLoop(makeFleet(policy, seed, { specs: equals(8) }), REQUESTS, 32);
    // Dice alone deviate by 3 % (one sigma) at 1,000 picks each; everything else must be steadier.
    const tolerance = ["random", "hash"].includes(policy) ? 0.13 : 0.05;
    assertShares(shares, new Map(equals(8).map(({ id }) => [id, 1 / 8])), tolerance);
  },
  { policies: SPREADING },
);

law(
  "equals get equal shares where nothing is ever in flight",
  (policy, seed) => {
    const shares = closedLoop(makeFleet(policy, seed, { specs: equals(4) }), REQUESTS, 1, { stepMs: 7 });
    assertShares(shares, new Map(equals(4).map(({ id }) => [id, 1 / 4])), 0.09);
  },
  { policies: SPREADING },
);

law(
  "fill takes the first that has room",
  (policy, seed) => {
    const { pool } = makeFleet(policy, seed, { specs: equals(3, () => ({ limit: 2 })) });
    const picked = Array.from({ length: 6 }, () => send(pool).endpoint!.id);
    assert.deepEqual(picked, ["b0", "b0", "b1", "b1", "b2", "b2"]);
  },
  { policies: ["fill"] },
);

for (const seed of [1, 2, 3]) {
  test(`10,000 requests over 8 equals at 70 % load, seed ${seed}: max / mean <= 1.03`, (t) => {
    for (const policy of SPREADING) t.diagnostic(`${policy}: ${unevenness(policy, seed).toFixed(4)}`);
    assert.ok(unevenness("least_request", seed) <= 1.03);
  });
}

/** Each share is within `tolerance` (relative) of what is due. */
function assertShares(
  shares: ReadonlyMap<string, number>,
  due: ReadonlyMap<string, number>,
  tolerance: number,
): void {
  for (const [id, share] of due) {
    const got = shares.get(id) ?? 0;
    const told = `${id} got ${(got * 100).toFixed(2)} %, its due is ${(share * 100).toFixed(2)} %`;
    assert.ok(Math.abs(got / share - 1) <= tolerance, told);
  }
}
