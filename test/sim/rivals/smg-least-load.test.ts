import assert from "node:assert/strict";
import { test } from "node:test";

import { smgLeastLoad } from "../../../src/sim/rivals/smg-least-load.ts";
import { ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Cases of lightseekorg/smg model_gateway/src/policies/least_load.rs (mod tests), by their names there.

test("routes_to_lower_queued_token_work, zero_throughput_falls_back_to_default", () => {
  const fleet = new StillFleet(2);
  fleet.report(0, { waitingTokens: 10_000, kvUsage: 0.2 });
  fleet.report(1, { waitingTokens: 1000, kvUsage: 0.2 });
  // 10,000 / 2000 = 5 s against 0.5 s.
  assert.equal(smgLeastLoad.create(2, 1).route(ask([1]), fleet, 0), 1);
  assert.deepEqual([...fleet.polls], [10]);
});

test("kv_barrier_avoids_full_worker, in seconds", () => {
  const fleet = new StillFleet(2);
  fleet.report(0, { kvUsage: 0.98 });
  // 0.15 x 0.98 / 0.02 = 7.35 s against 14,000 / 2000 = 7 s, and against 7.5 s.
  fleet.report(1, { waitingTokens: 14_000 });
  assert.equal(smgLeastLoad.create(2, 1).route(ask([1]), fleet, 0), 1);
  fleet.report(1, { waitingTokens: 15_000 });
  assert.equal(smgLeastLoad.create(2, 1).route(ask([1]), fleet, 0), 0);
});

test("a full cache is a barrier of 0.15 x 0.999 / 0.001 = 149.85 s, not of infinity", () => {
  const fleet = new StillFleet(2);
  fleet.report(0, { kvUsage: 1 });
  fleet.report(1, { waitingTokens: 299_800 });
  assert.equal(smgLeastLoad.create(2, 1).route(ask([1]), fleet, 0), 0);
  fleet.report(1, { waitingTokens: 299_600 });
  assert.equal(smgLeastLoad.create(2, 1).route(ask([1]), fleet, 0), 1);
});

test("inflight_correction_spreads_within_poll_interval, by tokens", () => {
  const fleet = new StillFleet(2);
  const router = smgLeastLoad.create(2, 1);
  // In blocks: 0 | 0, 10 | 0, 10 | 3, 10 | 11, 11 | 11: the first of equal ones.
  const choose = (blocks: number): number => router.route(ask(blocksFrom(0, blocks)), fleet, 1);
  assert.deepEqual([choose(10), choose(3), choose(8), choose(1), choose(1)], [0, 1, 1, 0, 0]);
});

test("update_loads_resets_inflight", () => {
  const fleet = new StillFleet(2);
  const router = smgLeastLoad.create(2, 1);
  assert.equal(router.route(ask([1]), fleet, 9.9), 0);
  assert.equal(router.route(ask([1]), fleet, 10), 0);
  assert.equal(router.route(ask([1]), fleet, 10.1), 1);
});

test("single_worker_always_selected", () => {
  const fleet = new StillFleet(1);
  fleet.report(0, { waitingTokens: 1e9, kvUsage: 1 });
  assert.equal(smgLeastLoad.create(1, 1).route(ask([1]), fleet, 0), 0);
});
