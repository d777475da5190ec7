import assert from "node:assert/strict";
import { test } from "node:test";

import { lmetric } from "../../../src/sim/rivals/lmetric.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// sgl-project/sglang sgl-model-gateway/src/policies/lmetric.rs, test_lmetric_reuses_cache_when_load_is_low.
test("reuses the cache when load is low", () => {
  const fleet = new StillFleet(2);
  fleet.cache(1, 1024);
  assert.equal(lmetric.create(2, 1).route(ask(blocksFrom(0, 4)), fleet, 0), 1);
});

// The same file, test_lmetric_multiplies_cache_work_by_load: 20 in flight there, 6 of 7 characters cached.
test("multiplies the cache's work by load", () => {
  const fleet = new StillFleet(2);
  const router = lmetric.create(2, 1);
  fleet.engines = [0];
  for (let i = 0; i < 20; i++) {
    const request = ask([1]);
    router.route(request, fleet, 0);
    router.firstToken!(request, 0, 1);
  }
  fleet.engines = [0, 1];
  fleet.cache(0, 6 * 512);
  // 512 x 21 against 7 x 512 x 1.
  assert.equal(router.route(ask(blocksFrom(0, 7)), fleet, 2), 1);
});

test("pending tokens count until the first token, requests until their end", () => {
  const fleet = new StillFleet(2);
  const router = lmetric.create(2, 1);
  fleet.engines = [0];
  const first = ask(blocksFrom(0, 4));
  router.route(first, fleet, 0);
  fleet.engines = [0, 1];
  fleet.cache(0, 512 * 9);
  // Of 10 blocks: (4 + 1) x 2 = 10 against (0 + 10) x 1, equal; with one block more against 11.
  assert.equal(router.route(ask(blocksFrom(0, 11), { inputTokens: 512 * 10 + 1 }), fleet, 0), 1);
  router.firstToken!(first, 0, 1);
  // (0 + 1) x 2 against (10 and a token + 10) x 2.
  assert.equal(router.route(ask(blocksFrom(0, 10)), fleet, 1), 0);
  router.finished!(first, answer(0), 2);
});
