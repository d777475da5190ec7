import assert from "node:assert/strict";
import { test } from "node:test";

import { llmDDefault } from "../../../src/sim/rivals/llm-d-default.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Scores of llm-d/llm-d-router pkg/epp/framework/plugins/scheduling/scorer/*, weights of
// pkg/epp/config/loader/defaults.go, index of .../dataproducer/approximateprefix.

/** Has an engine sent a prompt. */
function teach(router: Router, fleet: StillFleet, engine: number, request: SimRequest): void {
  const all = fleet.engines;
  fleet.engines = [engine];
  router.route(request, fleet, 0);
  fleet.engines = all;
}

// queuedepth/queue_test.go, "Different queue sizes": 10, 5, 0 score 0, 0.5, 1.
test("queues by the span from the shortest to the longest, twice", () => {
  const fleet = new StillFleet(3);
  fleet.report(0, { waiting: 10 });
  fleet.report(1, { waiting: 5 });
  // 2 x 0.5 + 2 x 1 = 3 against 2 x 1 + 2 x 0.51 = 3.02.
  fleet.report(2, { waiting: 0, kvUsage: 0.49 });
  assert.equal(llmDDefault.create(3, 1).route(ask([1]), fleet, 0), 2);
  // Against 2 x 0.49.
  fleet.report(2, { waiting: 0, kvUsage: 0.51 });
  assert.equal(llmDDefault.create(3, 1).route(ask([1]), fleet, 0), 1);
  assert.deepEqual([...fleet.polls], [0.05]);
});

test("one waiting against none is the whole weight of queues: more than 2/3 of a prefix", () => {
  const fleet = new StillFleet(2);
  fleet.report(0, { waiting: 1 });
  const choose = (known: number): number => {
    const router = llmDDefault.create(2, 1);
    teach(router, fleet, 0, ask(blocksFrom(0, known)));
    return router.route(ask(blocksFrom(0, 10)), fleet, 0);
  };
  // 3 x 6 / 10 = 1.8 against 2; 3 x 7 / 10 = 2.1.
  assert.equal(choose(6), 1);
  assert.equal(choose(7), 0);
});

test("equal queues are no difference: then KV and prefix", () => {
  const fleet = new StillFleet(2);
  fleet.report(0, { waiting: 5, kvUsage: 0.7 });
  fleet.report(1, { waiting: 5 });
  const router = llmDDefault.create(2, 1);
  teach(router, fleet, 0, ask([1]));
  // 0.6 + 1.5 against 2; 0.6 + 1 against 2.
  assert.equal(router.route(ask([1, 2]), fleet, 0), 0);
  assert.equal(router.route(ask([1, 7, 8]), fleet, 0), 1);
});

test("a prompt is known at once to the next one, so siblings of a burst follow each other", () => {
  const fleet = new StillFleet(8);
  const router = llmDDefault.create(8, 5);
  const first = router.route(ask(blocksFrom(0, 3)), fleet, 0);
  for (let i = 0; i < 20; i++) assert.equal(router.route(ask(blocksFrom(0, 3)), fleet, 0), first);
});

test("blocks count where they are held, until one that nobody has: a hole is bridged by another server", () => {
  const fleet = new StillFleet(2);
  const router = llmDDefault.create(2, 1);
  teach(router, fleet, 0, ask([1]));
  teach(router, fleet, 0, ask([3, 4]));
  fleet.report(1, { kvUsage: 0.2 });
  // 3 x 1 / 4 + 2 against 1.6.
  assert.equal(router.route(ask([1, 20, 3, 4]), fleet, 0), 0);
  const second = llmDDefault.create(2, 1);
  teach(second, fleet, 0, ask([1]));
  teach(second, fleet, 0, ask([3, 4]));
  teach(second, fleet, 1, ask([1, 2]));
  fleet.report(0, { kvUsage: 0.3 });
  fleet.report(1, { kvUsage: 0 });
  // 0 holds 1, 3, 4 of 1, 2, 3, 4: 3 x 3 / 4 + 1.4 = 3.65 against 3 x 2 / 4 + 2 = 3.5.
  assert.equal(second.route(ask([1, 2, 3, 4]), fleet, 0), 0);
});

test("as many entries of 64 tokens as the engine has blocks of 16; the head of a prompt is the oldest", () => {
  const fleet = new StillFleet(2);
  // 64 blocks of 16 tokens: 64 entries of 64 tokens, 8 blocks of 512.
  fleet.kvTokensEach = 1024;
  const router = llmDDefault.create(2, 1);
  teach(router, fleet, 0, ask(blocksFrom(0, 8)));
  fleet.report(0, { kvUsage: 0.1 });
  assert.equal(router.route(ask([0]), fleet, 0), 0);
  teach(router, fleet, 0, ask([100]));
  // Block 1 went, 0 was used after it.
  assert.equal(router.route(ask([1]), fleet, 0), 1);
  assert.equal(router.route(ask([0]), fleet, 0), 0);
});

test("only the first 131,072 tokens are matched", () => {
  const fleet = new StillFleet(2);
  const router = llmDDefault.create(2, 1);
  teach(router, fleet, 0, ask(blocksFrom(0, 256)));
  fleet.report(0, { kvUsage: 1 });
  // 3 x 256 / 256 against 2: were the whole prompt counted, 3 x 256 / 512 would be less.
  assert.equal(router.route(ask(blocksFrom(0, 512)), fleet, 0), 0);
});

test("a server that is gone is forgotten within two minutes", () => {
  const fleet = new StillFleet(2);
  const router = llmDDefault.create(2, 1);
  teach(router, fleet, 0, ask([1, 2]));
  fleet.engines = [1];
  router.route(ask([50]), fleet, 119);
  router.route(ask([51]), fleet, 120);
  fleet.engines = [0, 1];
  fleet.report(0, { kvUsage: 0.01 });
  assert.equal(router.route(ask([1, 2]), fleet, 121), 1);
});
