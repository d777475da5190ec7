import assert from "node:assert/strict";
import { test } from "node:test";

import { roundRobin } from "../../../src/sim/rivals/round-robin.ts";
import { ask, StillFleet } from "./still-fleet.ts";

test("each engine in turn, also when one has left", () => {
  const fleet = new StillFleet(3);
  const router = roundRobin.create(3, 1);
  const choose = (): number => router.route(ask([1]), fleet, 0);
  assert.deepEqual([choose(), choose(), choose(), choose()], [0, 1, 2, 0]);
  fleet.engines = [0, 2];
  assert.deepEqual([choose(), choose()], [0, 2]);
});
