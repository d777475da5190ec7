// Prompts whose first token is late, in the simulator: leaving an engine that hangs, and overload that is not
// made worse. Floors far below what was measured, so that no luck of a seed fails them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { CoreRouter, POOL_OPTIONS } from "../../src/sim/core-router.ts";
import { engineModel } from "../../src/sim/engine-models.ts";
import { Engine } from "../../src/sim/engine.ts";
import { parseFault } from "../../src/sim/faults.ts";
import { Flight } from "../../src/sim/flight.ts";
import { run, type RunResult } from "../../src/sim/run.ts";
import { score } from "../../src/sim/score.ts";
import { parseTrace } from "../../src/sim/workloads/trace-text.ts";
import { traceWorkload } from "../../src/sim/workloads/trace.ts";
import { PLAIN, request } from "./fixtures.ts";

const FILE = "scenarios/traces/mooncake-conversation.jsonl.gz";
const SOURCE = traceWorkload("conversation", parseTrace(gunzipSync(readFileSync(FILE)).toString("utf8")));
const MODEL = engineModel("a100-8b")!;
const REQUESTS = 2_000;

interface Run extends RunResult {
  readonly moves: number;
}

function simulate(looksAfterLate: boolean, seed: number, requestsPerS: number, ...faults: string[]): Run {
  const router = new CoreRouter("inference", seed, POOL_OPTIONS, looksAfterLate);
  const workload = SOURCE.create({ requests: REQUESTS, seed, requestsPerS, isJittered: true });
  const setup = { model: MODEL, engines: 8, workload, router, faults: faults.map(parseFault) };
  return { ...run(setup), moves: router.moves };
}

test("an engine that hangs is left by all who wait for a first token there", (t) => {
  const off = simulate(false, 1, 2, "3: hang from 60s");
  const on = simulate(true, 1, 2, "3: hang from 60s");
  const waiting = ({ flights }: RunResult): number =>
    flights.filter(({ ending, firstS }) => ending === "lost" && firstS < 0).length;
  t.diagnostic(`${waiting(off)} waited for ever, then ${waiting(on)}; ${on.moves} moved`);
  assert.ok(waiting(off) > 0);
  assert.equal(waiting(on), 0);
  // Whoever comes to look whether it is back is one of few.
  assert.ok(on.moves >= waiting(off) && on.moves < 0.02 * REQUESTS, `${on.moves} moved`);
});

test("one that hung for 30 seconds has its share again", () => {
  const { flights } = simulate(true, 1, 2, "3: hang from 60s for 30s");
  const later = flights.filter(({ sentS }) => sentS > 300);
  const share = later.filter(({ engine }) => engine === 3).length / later.length;
  assert.ok(share > 0.08, `${share} of the requests`);
});

for (const [what, requestsPerS, faults] of [
  ["a busy fleet", 3, []],
  ["an overloaded one", 4.5, []],
  ["one with far too much to do", 6, []],
  [
    "one that becomes five times slower as a whole, so that every forecast is wrong",
    1,
    ["*: speed 0.2 from 60s"],
  ],
] as const) {
  test(`${what} computes little twice, and is no worse for it`, (t) => {
    let gain = 0;
    for (const seed of [1, 2, 3]) {
      const off = simulate(false, seed, requestsPerS, ...faults);
      const on = simulate(true, seed, requestsPerS, ...faults);
      t.diagnostic(`goodput ${score(off).goodput}, then ${score(on).goodput} with ${on.moves} moves`);
      assert.ok(on.moves <= 0.2 * REQUESTS, `${on.moves} moved`);
      // What the budget allows is far more than what a forecast that is right asks for.
      assert.ok(on.moves < 0.03 * REQUESTS, `${on.moves} moved`);
      assert.equal(score(on).lost, 0);
      gain += score(on).goodput - score(off).goodput;
    }
    assert.ok(gain / 3 > -0.02, `${gain / 3}`);
  });
}

test("an engine forgets what was called off, wherever it was", () => {
  const ended: number[] = [];
  const sink = {
    firstToken: (): void => {},
    answered: ({ request: it }: Flight): void => void ended.push(it.id),
  };
  const engine = new Engine(0, PLAIN, sink);
  const flights = [0, 1, 2, 3].map((id) => new Flight(request({ id, inputTokens: 200, outputTokens: 3 })));
  for (const flight of flights) engine.enqueue(flight, 0);
  // One that is being computed, and one that waits.
  engine.cancel(flights[0]!);
  engine.cancel(flights[3]!);
  while (engine.nextS < Number.POSITIVE_INFINITY) engine.advance();
  assert.deepEqual(ended, [1, 2]);
  const { waiting, waitingTokens, kvUsage } = engine.report(1e6);
  assert.deepEqual([waiting, waitingTokens, kvUsage], [0, 0, 0]);
});
