import assert from "node:assert/strict";
import { test } from "node:test";

import { dynamoKv } from "../../../src/sim/rivals/dynamo-kv.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Hand-computed after ai-dynamo/dynamo lib/kv-router/src/scheduling/selector (worker_logit) and
// lib/kv-router/src/sequences (project_worker_loads, naive_potential_loads in its tests).

function sendTo(router: Router, fleet: StillFleet, engine: number, request: SimRequest): void {
  const all = fleet.engines;
  fleet.engines = [engine];
  router.route(request, fleet, 0);
  fleet.engines = all;
}

test("prefill ahead and decode blocks are added one to one", () => {
  const fleet = new StillFleet(2);
  const router = dynamoKv.create(2, 1);
  const long = ask(blocksFrom(0, 8));
  sendTo(router, fleet, 0, long);
  const other = ask(blocksFrom(100, 12));
  sendTo(router, fleet, 1, other);
  // Each: own prefill 4 + additional 4. 0: 8 prefill + 8 blocks; 1: 12 + 12.
  const third = ask(blocksFrom(200, 4));
  assert.equal(router.route(third, fleet, 0), 0);
  router.firstToken!(third, 0, 1);
  router.finished!(third, answer(0), 1);
  // 1 has given its first token: 12 blocks against 8 + 8.
  router.firstToken!(other, 1, 1);
  assert.equal(router.route(ask(blocksFrom(300, 1)), fleet, 1), 1);
});

test("cached tokens are prefill that is not needed; the blocks are still held", () => {
  const fleet = new StillFleet(2);
  fleet.cache(0, 512 * 3);
  const router = dynamoKv.create(2, 1);
  const busy = ask(blocksFrom(100, 2));
  sendTo(router, fleet, 0, busy);
  router.firstToken!(busy, 0, 1);
  // 0: (4 - 3) + 2 + 4 = 7; 1: 4 + 0 + 4 = 8.
  const first = ask(blocksFrom(0, 4));
  assert.equal(router.route(first, fleet, 1), 0);
  // Of other blocks, 0: 1 + 1 + 2 + 4 + 4 = 12; 1: 4 + 4 = 8.
  assert.equal(router.route(ask(blocksFrom(200, 4)), fleet, 1), 1);
});

test("blocks of active prompts are counted once", () => {
  const fleet = new StillFleet(2);
  const router = dynamoKv.create(2, 1);
  const first = ask(blocksFrom(0, 4));
  sendTo(router, fleet, 0, first);
  router.firstToken!(first, 0, 1);
  const other = ask([900]);
  sendTo(router, fleet, 1, other);
  router.firstToken!(other, 1, 1);
  // Nothing is cached. 0: 5 + 4 + 1 = 10; 1: 5 + 1 + 5 = 11.
  const second = ask(blocksFrom(0, 5));
  assert.equal(router.route(second, fleet, 1), 0);
  router.firstToken!(second, 0, 2);
  // Two hold the first four: 5 blocks in all. When the first has ended, they are still held.
  router.finished!(first, answer(0), 2);
  // 0: 1 + 5 + 1 = 7, 1: 1 + 1 + 1 = 3.
  assert.equal(router.route(ask([500]), fleet, 2), 1);
  router.finished!(second, answer(0), 3);
  // 0: 1 + 0 + 1, 1: more.
  assert.equal(router.route(ask([501]), fleet, 3), 0);
});

test("the last block counts by its share", () => {
  const fleet = new StillFleet(2);
  const router = dynamoKv.create(2, 1);
  for (const [engine, tokens] of [
    [0, 512 + 100],
    [1, 512 + 90],
  ] as const) {
    const request = ask([engine * 10, engine * 10 + 1], { inputTokens: tokens });
    sendTo(router, fleet, engine, request);
    router.firstToken!(request, engine, 1);
  }
  assert.equal(router.route(ask([50]), fleet, 1), 1);
});

// selector/default.rs, test_default_selector_randomizes_zero_temperature_ties.
test("equal ones are drawn", () => {
  const fleet = new StillFleet(3);
  const router = dynamoKv.create(3, 1);
  const seen = new Set<number>();
  for (let i = 0; i < 60; i++) {
    const request = ask([1]);
    const engine = router.route(request, fleet, 0);
    seen.add(engine);
    router.failed!(request, engine, 0);
  }
  assert.equal(seen.size, 3);
});
