import assert from "node:assert/strict";
import { test } from "node:test";

import { SglangCacheAware } from "../../../src/sim/rivals/sglang-cache-aware.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Cases of sgl-project/sglang sgl-model-gateway/src/policies/cache_aware.rs (mod tests), by their names.

test("test_cache_aware_with_balanced_load", () => {
  const fleet = new StillFleet(2);
  const router = new SglangCacheAware();
  const hello = blocksFrom(0, 5);
  const first = router.route(ask([...hello, 5, 6, 7, 8, 9, 10]), fleet, 0);
  assert.equal(router.route(ask([...hello, 5, 6, 7, 8, 9, 10]), fleet, 0), first);
  assert.equal(router.route(ask(hello), fleet, 0), first);
});

test("test_cache_aware_with_imbalanced_load", () => {
  const fleet = new StillFleet(2);
  const router = new SglangCacheAware({
    cacheThreshold: 0.5,
    balanceAbsThreshold: 5,
    balanceRelThreshold: 2,
  });
  fleet.engines = [0];
  for (let i = 0; i < 20; i++) router.route(ask([1]), fleet, 0);
  fleet.engines = [0, 1];
  for (let i = 0; i < 5; i++) assert.equal(router.route(ask([1]), fleet, 0), 1);
});

test("a prefix must be more than 0.3 of the prompt; else the fewest in flight, the first of them", () => {
  const fleet = new StillFleet(3);
  const router = new SglangCacheAware();
  assert.equal(router.route(ask(blocksFrom(0, 10)), fleet, 0), 0);
  // 3 of 10 blocks are known: not more than 0.3.
  assert.equal(router.route(ask([0, 1, 2, ...blocksFrom(100, 7)]), fleet, 0), 1);
  // 4 of 10 are: the holder, although it is not the one with the fewest.
  assert.equal(router.route(ask([0, 1, 2, 3, ...blocksFrom(200, 6)]), fleet, 0), 0);
  // The first 3 were sent to 1 as well, but 0 made them.
  assert.equal(router.route(ask([0, 1, 2, 300]), fleet, 0), 0);
});

test("64 more and 1.5 times as many: the fewest in flight, which learns the prompt as well", () => {
  const fleet = new StillFleet(2);
  const router = new SglangCacheAware();
  const hot = blocksFrom(0, 4);
  for (let i = 0; i < 65; i++) assert.equal(router.route(ask(hot), fleet, 0), 0);
  // 65 - 0 is above 64.
  const moved = ask(hot);
  assert.equal(router.route(moved, fleet, 0), 1);
  // 65 - 1 is not.
  assert.equal(router.route(ask(hot), fleet, 0), 0);
  router.finished(moved, answer(1));
  assert.equal(router.route(ask([0, 1, 2, 3, 4]), fleet, 0), 1);
});

test("a holder that is gone: the first engine, and nothing is learned", () => {
  const fleet = new StillFleet(3);
  const router = new SglangCacheAware();
  assert.equal(router.route(ask([1, 2]), fleet, 0), 0);
  fleet.engines = [1, 2];
  for (let i = 0; i < 3; i++) assert.equal(router.route(ask([1, 2]), fleet, 1), 1);
  fleet.engines = [0, 1, 2];
  assert.equal(router.route(ask([1, 2]), fleet, 2), 0);
});
