import assert from "node:assert/strict";
import { test } from "node:test";

import { vllmRouterSmetric } from "../../../src/sim/rivals/vllm-router-smetric.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// After vllm-project/router src/policies/smetric.rs and the cases of its tests.

function sendTo(router: Router, fleet: StillFleet, engine: number, request: SimRequest, nowS = 0): void {
  const all = fleet.engines;
  fleet.engines = [engine];
  router.route(request, fleet, nowS);
  fleet.engines = all;
}

/** Teaches the rate of an engine's prefill: 8 prompts of 512 tokens that take that long. */
function teachRate(router: Router, fleet: StillFleet, engine: number, tookS: number): void {
  for (let i = 0; i < 8; i++) {
    const request = ask([70_000 + engine * 100 + i]);
    sendTo(router, fleet, engine, request);
    router.firstToken!(request, engine, tookS);
    router.finished!(request, answer(engine), tookS);
  }
}

// cache_affinity_yields_to_a_feasible_worker_but_survives_when_none_meet_ttft
test("a session stays while its worker meets the objective, or nobody does", () => {
  const fleet = new StillFleet(2);
  const router = vllmRouterSmetric.create(2, 1);
  // 512 tokens a second each.
  teachRate(router, fleet, 0, 1);
  teachRate(router, fleet, 1, 1);
  const first = ask(blocksFrom(0, 4), { session: 1 });
  sendTo(router, fleet, 0, first);
  router.firstToken!(first, 0, 4);
  router.finished!(first, answer(0), 5);
  const queued = ask(blocksFrom(1000, 10));
  sendTo(router, fleet, 0, queued);
  // 0: 10 + 1 blocks, 11 s; 1: 5 blocks, 5 s; the objective is 1.16 s: nobody meets it, so it stays.
  const second = ask(blocksFrom(0, 5), { session: 1 });
  assert.equal(router.route(second, fleet, 6), 0);
  router.failed!(second, 0, 6);
  // Of a short prompt 1 would meet it: 512 tokens take 1 s, the objective is 1.03 s.
  const short = ask([5000], { session: 2 });
  sendTo(router, fleet, 0, short);
  assert.equal(router.route(ask([5000], { session: 2 }), fleet, 6), 1);
});

// learned_rate_is_used_only_without_a_configured_rate: before 8 samples the check passes.
test("an unknown rate meets every objective", () => {
  const fleet = new StillFleet(2);
  const router = vllmRouterSmetric.create(2, 1);
  sendTo(router, fleet, 0, ask(blocksFrom(0, 4), { session: 1 }));
  for (let i = 0; i < 5; i++) sendTo(router, fleet, 0, ask(blocksFrom(1000 * i + 1000, 50)));
  assert.equal(router.route(ask(blocksFrom(0, 5), { session: 1 }), fleet, 1), 0);
});

test("a new session goes to the least work x in flight, the idle ones in turn", () => {
  const fleet = new StillFleet(3);
  const router = vllmRouterSmetric.create(3, 1);
  const chosen = [1, 2, 3].map((i) => {
    const request = ask(blocksFrom(i * 1000, 2), { session: i });
    const engine = router.route(request, fleet, 0);
    router.failed!(request, engine, 0);
    return engine;
  });
  assert.deepEqual(chosen, [0, 1, 2]);
  // A known prefix does not bind a session's first turn: 2 x 1, 2 x 1 and the idle one 0.
  sendTo(router, fleet, 0, ask(blocksFrom(9000, 2), { session: 8 }));
  sendTo(router, fleet, 1, ask(blocksFrom(9100, 2), { session: 9 }));
  assert.equal(router.route(ask(blocksFrom(9000, 2), { session: 10 }), fleet, 0), 2);
});

test("a session whose prefix was forgotten by half is routed like a new one", () => {
  const fleet = new StillFleet(2);
  const router = vllmRouterSmetric.create(2, 1);
  // The history says 8 blocks, of which 0 was sent 4: not more than half.
  sendTo(router, fleet, 0, ask(blocksFrom(0, 4)));
  sendTo(router, fleet, 1, ask([...blocksFrom(0, 2), ...blocksFrom(500, 6)], { session: 1 }));
  assert.equal(router.route(ask(blocksFrom(0, 5), { session: 1 }), fleet, 0), 0);
  const second = vllmRouterSmetric.create(2, 1);
  sendTo(second, fleet, 0, ask(blocksFrom(0, 4)));
  sendTo(second, fleet, 0, ask(blocksFrom(700, 4)));
  sendTo(second, fleet, 1, ask([...blocksFrom(0, 2), ...blocksFrom(500, 6)], { session: 1 }));
  // 0: (8 + 1) x 2 against 1: (8 + 3) x 1.
  assert.equal(second.route(ask(blocksFrom(0, 5), { session: 1 }), fleet, 0), 1);
});
