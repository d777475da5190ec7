import assert from "node:assert/strict";
import { test } from "node:test";

import { litellmLeastBusy } from "../../../src/sim/rivals/litellm-least-busy.ts";
import { answer, ask, StillFleet } from "./still-fleet.ts";

// BerriAI/litellm litellm/router_strategy/least_busy.py, _get_available_deployments: a strict
// comparison over a dict in the order of insertion.
test("of equal ones the first, again and again: one at a time all goes to one", () => {
  const fleet = new StillFleet(3);
  const router = litellmLeastBusy.create(3, 1);
  for (let i = 0; i < 5; i++) {
    const request = ask([1]);
    assert.equal(router.route(request, fleet, i), 0);
    router.finished!(request, answer(0), i);
  }
});

test("fewest in flight, calls that failed are over, too", () => {
  const fleet = new StillFleet(3);
  const router = litellmLeastBusy.create(3, 1);
  const sent = [1, 2, 3, 4].map((block) => ask([block]));
  assert.deepEqual(
    sent.map((request) => router.route(request, fleet, 0)),
    [0, 1, 2, 0],
  );
  assert.equal(router.route(ask([5]), fleet, 0), 1);
  router.failed!(sent[2]!, 2, 1);
  assert.equal(router.route(ask([6]), fleet, 1), 2);
});

test("when the one with the fewest is not healthy, any healthy one is drawn", () => {
  const fleet = new StillFleet(3);
  const router = litellmLeastBusy.create(3, 3);
  assert.equal(router.route(ask([1]), fleet, 0), 0);
  fleet.engines = [0, 2];
  // 1 has none in flight, as 2, and stands before it.
  const chosen = new Set(Array.from({ length: 30 }, () => router.route(ask([1]), fleet, 0)));
  assert.deepEqual(
    [...chosen].sort((a, b) => a - b),
    [0, 2],
  );
});
