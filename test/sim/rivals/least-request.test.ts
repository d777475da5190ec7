import assert from "node:assert/strict";
import { test } from "node:test";

import { leastRequest } from "../../../src/sim/rivals/least-request.ts";
import { answer, ask, StillFleet } from "./still-fleet.ts";

test("the fewest in flight: an engine that has answered, or failed, gets the next", () => {
  const fleet = new StillFleet(2);
  const router = leastRequest.create(2, 1);
  const first = ask([1]);
  const engine = router.route(first, fleet, 0);
  assert.equal(router.route(ask([1]), fleet, 0), 1 - engine);
  router.finished!(first, answer(engine), 1);
  const third = ask([1]);
  assert.equal(router.route(third, fleet, 1), engine);
  router.failed!(third, engine, 2);
  assert.equal(router.route(ask([1]), fleet, 2), engine);
});

test("equal ones are drawn", () => {
  const fleet = new StillFleet(4);
  const router = leastRequest.create(4, 7);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) {
    const request = ask([1]);
    const engine = router.route(request, fleet, 0);
    counts[engine]!++;
    router.finished!(request, answer(engine), 0);
  }
  for (const count of counts) assert.ok(count > 900 && count < 1100, String(counts));
});
