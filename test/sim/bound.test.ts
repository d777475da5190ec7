// The offline search: what it claims must come out of a whole run, and where the best is known it finds it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { FixedRouter, searchBound } from "../../src/sim/bound.ts";
import { listOf } from "../../src/sim/capacity.ts";
import { type EngineModel, engineModel } from "../../src/sim/engine-models.ts";
import type { SimRequest } from "../../src/sim/router.ts";
import { ROUTERS } from "../../src/sim/routers.ts";
import { run, type RunResult } from "../../src/sim/run.ts";
import { goodnessShares, isGood, score } from "../../src/sim/score.ts";
import { WORKLOADS } from "../../src/sim/workloads/index.ts";
import { ListedWorkload } from "../../src/sim/workloads/workload.ts";
import { PLAIN, request } from "./fixtures.ts";

/** Prompts that are in time only on an engine of their own: 1,000 tokens a second, decodes of 10 ms. */
const QUICK: EngineModel = { ...PLAIN, kvTokens: 100_000, prefillTokenS: 1e-3, decodeStepS: 0.01 };

function tries(count: number): (done: number) => number {
  return (done) => done / count;
}

test("four prompts at once on four engines: one each, whatever it begins with", () => {
  const requests = Array.from({ length: 4 }, (_, id) => request({ id, inputTokens: 900 }));
  const setup = { model: QUICK, engines: 4, requests, from: [0, 0, 0, 0], shareOver: tries(300) };
  for (const seed of [1, 2, 3]) {
    const { assignment } = searchBound({ ...setup, seed });
    assert.equal(new Set(assignment).size, 4, `seed ${seed}: ${assignment.join()}`);
  }
});

test("those who have a prefix in common go where it is", () => {
  // 900 tokens a prompt, 800 in common: two at a time are in time on two engines only, and fastest at home.
  const requests = [0, 1, 2, 3].map((id) =>
    request({ id, atS: id < 2 ? 0 : 1, inputTokens: 900, blockTokens: 100, blocks: blocksOf(id % 2, id) }),
  );
  const from = [0, 1, 1, 0];
  const { assignment } = searchBound({
    model: QUICK,
    engines: 2,
    requests,
    from,
    seed: 1,
    shareOver: tries(200),
  });
  assert.equal(assignment[0], assignment[2]);
  assert.equal(assignment[1], assignment[3]);
  assert.notEqual(assignment[0], assignment[1]);
});

test("what the search claims comes out of a whole run, and is no worse than where it began", () => {
  const model = engineModel("a100-8b")!;
  const source = WORKLOADS.find(({ name }) => name === "bursts")!;
  const requests = listOf(source.create({ requests: 150, seed: 3, requestsPerS: 40, isJittered: false }));
  const simulated = (router: Parameters<typeof run>[0]["router"]): RunResult =>
    run({ model, engines: 4, workload: new ListedWorkload(requests), router });
  const online = simulated(ROUTERS.find(({ name }) => name === "round_robin")!.create(4, 1));
  const setup = { model, engines: 4, requests, from: online.flights.map(({ engine }) => engine), seed: 5 };
  const found = searchBound({ ...setup, shareOver: tries(400) });
  const offline = simulated(new FixedRouter("offline", requests, found.assignment));
  const energy = offline.flights.reduce((sum, flight) => {
    const { ttft, tpot } = goodnessShares(flight);
    return sum + (isGood(flight) ? 0 : 1) + 0.05 * (Math.min(4, ttft) + Math.min(4, tpot));
  }, 0);
  assert.ok(Math.abs(energy - found.energy) < 1e-6, `${energy} and ${found.energy}`);
  assert.equal(found.tries, 400);
  assert.ok(score(offline).goodput > score(online).goodput);
  assert.deepEqual(searchBound({ ...setup, shareOver: tries(400) }), found, "a seed gives the same again");
});

test("who is nowhere stays there; one engine leaves nothing to search", () => {
  const requests = [0, 1, 2].map((id): SimRequest => request({ id, inputTokens: 900 }));
  const setup = { model: QUICK, requests, seed: 1, shareOver: tries(50) };
  assert.equal(searchBound({ ...setup, engines: 2, from: [0, -1, 0] }).assignment[1], -1);
  assert.equal(searchBound({ ...setup, engines: 1, from: [0, 0, 0] }).tries, 0);
  assert.equal(searchBound({ ...setup, engines: 2, from: [-1, -1, -1] }).tries, 0);
});

function blocksOf(family: number, id: number): number[] {
  return [...Array.from({ length: 8 }, (_, i) => family * 8 + i), 100 + id];
}
