import assert from "node:assert/strict";
import { test } from "node:test";

import { lpwl } from "../../../src/sim/rivals/lpwl.ts";
import { ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Hand-computed after gahow/agentic-kvc scripts/cache_aware_proxy.py (pick_instance_leastwork).

test("the holder of the prefix, until its queue costs more than a prefill elsewhere", () => {
  const fleet = new StillFleet(2);
  fleet.cache(0, 512 * 8);
  const router = lpwl.create(2, 1);
  const choose = (): number => router.route(ask(blocksFrom(0, 10)), fleet, 0);
  // Blocks: 2 | 10, 4 | 10, 6 | 10, 8 | 10, then 10 | 10 with 4 in flight against none.
  assert.deepEqual([choose(), choose(), choose(), choose(), choose()], [0, 0, 0, 0, 1]);
});

test("decodes do not count: after the first token only the tie is left to them", () => {
  const fleet = new StillFleet(2);
  const router = lpwl.create(2, 1);
  const first = ask([1]);
  const engine = router.route(first, fleet, 0);
  router.firstToken!(first, engine, 1);
  assert.equal(router.route(ask([2]), fleet, 1), 1 - engine);
  fleet.cache(engine, 100);
  assert.equal(router.route(ask([3]), fleet, 1), engine);
});

test("equal ones in turn", () => {
  const fleet = new StillFleet(3);
  const router = lpwl.create(3, 1);
  const chosen: number[] = [];
  for (let i = 0; i < 4; i++) {
    const request = ask([i]);
    chosen.push(router.route(request, fleet, i));
    router.failed!(request, chosen[i]!, i);
  }
  assert.deepEqual(chosen, [0, 1, 2, 0]);
});
