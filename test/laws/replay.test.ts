// Law: the same seed gives the same decisions at the same times, to the last bit.
import assert from "node:assert/strict";

import { runOpenLoop } from "../scenarios/open-loop.ts";
import { law } from "./law.ts";
import { RandomWalk } from "./random-walk.ts";

law("the same seed replays a random walk", (policy, seed) => {
  const traces = [seed, seed, seed + 1_000].map((walkSeed) => {
    const walk = new RandomWalk(policy, walkSeed);
    walk.run(3_000);
    return walk.trace;
  });
  assert.equal(traces[0], traces[1]);
  assert.notEqual(traces[0], traces[2], "another seed is another walk");
});

law("the same seed replays a scenario", (policy, seed) => {
  const scenario = {
    policy,
    seed,
    endpoints: 5,
    requests: 2_000,
    gapMs: 3,
    deadlineMs: 200,
    serviceMs: (index: number, _nowMs: number, random: { exponential(mean: number): number }): number =>
      random.exponential(10 + index),
  };
  assert.equal(runOpenLoop(scenario).trace, runOpenLoop(scenario).trace);
});
