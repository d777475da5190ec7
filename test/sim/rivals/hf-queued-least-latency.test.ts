import assert from "node:assert/strict";
import { test } from "node:test";

import { hfQueuedLeastLatency } from "../../../src/sim/rivals/hf-queued-least-latency.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { answer, ask, StillFleet } from "./still-fleet.ts";

// Hand-computed after huggingface/endpoints-custom-routers queued-least-latency/backends.go.

/** Sends a request and has it answered after that time. */
function run(router: Router, fleet: StillFleet, nowS: number, tookS: number): number {
  const request = ask([1]);
  const engine = router.route(request, fleet, nowS);
  router.finished!(request, answer(engine), nowS + tookS);
  return engine;
}

test("engines that were never tried come first, then the lowest average", () => {
  const fleet = new StillFleet(2);
  const router = hfQueuedLeastLatency.create(2, 1);
  const first = run(router, fleet, 0, 1);
  assert.equal(run(router, fleet, 10, 2), 1 - first);
  // 1 s against 2 s; then 0.3 x 5 + 0.7 x 1 = 2.2 s against 2 s.
  assert.equal(run(router, fleet, 20, 5), first);
  assert.equal(run(router, fleet, 30, 2), 1 - first);
});

test("a busy engine may be chosen below 3 s and 5 x completed, an idle one always", () => {
  const fleet = new StillFleet(2);
  const router = hfQueuedLeastLatency.create(2, 1);
  const quick = run(router, fleet, 0, 0.5);
  const slow = run(router, fleet, 1, 4);
  assert.equal(slow, 1 - quick);
  // One has been completed: five may be in flight there. The slow one is idle but has the higher average.
  for (let i = 0; i < 5; i++) assert.equal(router.route(ask([1]), fleet, 10), quick);
  assert.equal(router.route(ask([1]), fleet, 10), slow);
});

test("when none may be chosen, the fewest in flight", () => {
  const fleet = new StillFleet(2);
  const router = hfQueuedLeastLatency.create(2, 1);
  const sent: SimRequest[] = [ask([1]), ask([1]), ask([1])];
  const engines = sent.map((request) => router.route(request, fleet, 0));
  assert.notEqual(engines[0], engines[1]);
  assert.equal(router.route(ask([1]), fleet, 0), 1 - engines[2]!);
});

test("a failure counts with its time, so an engine that fails at once attracts the next", () => {
  const fleet = new StillFleet(2);
  const router = hfQueuedLeastLatency.create(2, 1);
  const good = run(router, fleet, 0, 1);
  const request = ask([1]);
  const bad = router.route(request, fleet, 10);
  assert.equal(bad, 1 - good);
  router.failed!(request, bad, 10.01);
  assert.equal(router.route(ask([1]), fleet, 11), bad);
});
