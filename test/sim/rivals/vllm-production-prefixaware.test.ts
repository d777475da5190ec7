import assert from "node:assert/strict";
import { test } from "node:test";

import { vllmProductionPrefixaware } from "../../../src/sim/rivals/vllm-production-prefixaware.ts";
import { ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// After vllm-project/production-stack src/vllm_router/prefix/hashtrie.py (longest_prefix_match, insert).

test("the longest match, whatever the load, for ever", () => {
  const fleet = new StillFleet(4);
  const router = vllmProductionPrefixaware.create(4, 1);
  const first = router.route(ask([1, 2]), fleet, 0);
  for (let i = 0; i < 50; i++)
    assert.equal(router.route(ask([1, 2, ...blocksFrom(10 * i + 10, 3)]), fleet, 9e9), first);
});

test("one of those that were sent the longest prefix; of an unknown prompt any", () => {
  const fleet = new StillFleet(3);
  const seen = new Set<number>();
  const fresh = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const router = vllmProductionPrefixaware.create(3, seed);
    fleet.engines = [0];
    router.route(ask([1, 2]), fleet, 0);
    fleet.engines = [2];
    router.route(ask([1, 2]), fleet, 0);
    fleet.engines = [1];
    router.route(ask([1]), fleet, 0);
    fleet.engines = [0, 1, 2];
    seen.add(router.route(ask([1, 2, 3]), fleet, 0));
    fresh.add(router.route(ask([99]), fleet, 0));
  }
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [0, 2],
  );
  assert.deepEqual(
    [...fresh].sort((a, b) => a - b),
    [0, 1, 2],
  );
});

test("a holder that is gone is not waited for: the match ends where nobody who is there was sent more", () => {
  const fleet = new StillFleet(2);
  const router = vllmProductionPrefixaware.create(2, 1);
  fleet.engines = [0];
  router.route(ask([1, 2, 3]), fleet, 0);
  fleet.engines = [1];
  assert.equal(router.route(ask([1, 2, 3]), fleet, 0), 1);
});
