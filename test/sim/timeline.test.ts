// Queue and share over the time, by hand.
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Router } from "../../src/sim/router.ts";
import { run } from "../../src/sim/run.ts";
import { timelineOf } from "../../src/sim/timeline.ts";
import { ListedWorkload } from "../../src/sim/workloads/workload.ts";
import { PLAIN, request } from "./fixtures.ts";

test("who waits for a first token counts as long as it waits, who was sent where it was sent", () => {
  // A prompt of 50 tokens takes 50 s; one that comes in the middle of a step waits for the next one.
  const sent = [0, 0, 40].map((atS, id) => request({ id, atS, outputTokens: 1 }));
  const router: Router = { name: "third", route: ({ id }) => (id === 2 ? 1 : 0) };
  const result = run({ model: PLAIN, engines: 2, workload: new ListedWorkload(sent), router });
  assert.equal(result.endS, 100);
  const { stepS, engines } = timelineOf(result, 4);
  assert.equal(stepS, 25);
  assert.deepEqual(engines, [
    { number: 0, queue: [2, 2, 1, 1], share: [1, 0, 0, 0] },
    { number: 1, queue: [0, 0.4, 1, 0.6], share: [0, 1, 0, 0] },
  ]);
});

test("it adds up: all waiting is somewhere, and where anything was sent the shares are 1", () => {
  const sent = Array.from({ length: 60 }, (_, id) =>
    request({ id, atS: id * 7, inputTokens: 40 + (id % 30) }),
  );
  const router: Router = { name: "turns", route: ({ id }) => id % 3 };
  const result = run({ model: PLAIN, engines: 3, workload: new ListedWorkload(sent), router });
  const { stepS, engines } = timelineOf(result, 17);
  const waited = result.flights.reduce((sum, { firstS, sentS }) => sum + firstS - sentS, 0);
  const seen = engines.reduce((sum, { queue }) => sum + queue.reduce((a, b) => a + b, 0) * stepS, 0);
  assert.ok(Math.abs(waited - seen) < 1e-6, `${waited} and ${seen}`);
  for (let step = 0; step < 17; step++) {
    const sum = engines.reduce((total, { share }) => total + share[step]!, 0);
    assert.ok(Math.abs(sum - 1) < 1e-9 || sum === 0);
  }
});
