// Every way to route, ours and the rivals', through a fleet in which everything happens.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BARE_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { CORE_ROUTERS, CoreRouter } from "../../src/sim/core-router.ts";
import { engineModel } from "../../src/sim/engine-models.ts";
import { parseFault } from "../../src/sim/faults.ts";
import type { Router } from "../../src/sim/router.ts";
import { ROUTERS } from "../../src/sim/routers.ts";
import { run, type RunResult } from "../../src/sim/run.ts";
import { bursts } from "../../src/sim/workloads/bursts.ts";
import { ListedWorkload } from "../../src/sim/workloads/workload.ts";
import { PLAIN, request } from "./fixtures.ts";

const MODEL = engineModel("a100-8b")!;
const FAULTS = [
  "0: crash at 5s for 4s cold 3s",
  "1: speed 0.3 from 4s",
  "*: crash at 12s for 1s",
  "4: joins at 6s cold 2s",
  "2: leaves at 14s",
  "3: hang from 8s for 3s",
].map(parseFault);

function troubled(router: Router): RunResult {
  const workload = bursts.create({ requests: 600, seed: 3, requestsPerS: 30, isJittered: false });
  return run({ model: MODEL, engines: 4, workload, router, faults: FAULTS });
}

for (const spec of ROUTERS) {
  test(`${spec.name}: all requests end, whatever comes, leaves and dies`, () => {
    const { flights } = troubled(spec.create(4, 1));
    assert.equal(flights.length, 600);
    const answered = flights.filter(({ ending }) => ending === "answered").length;
    assert.ok(answered > 300, `${answered} of 600 answered`);
    const again = troubled(spec.create(4, 1)).flights;
    assert.deepEqual(
      again.map(({ engine, endS }) => [engine, endS]),
      flights.map(({ engine, endS }) => [engine, endS]),
      "the same seed, the same choices",
    );
  });
}

for (const { name } of CORE_ROUTERS) {
  test(`${name}: what the pool has booked is given back`, () => {
    const router = new CoreRouter(name, 1);
    troubled(router);
    const { ledger } = router.pool;
    for (let slot = 0; slot < 8; slot++) {
      assert.equal(ledger.inFlight[slot], 0);
      assert.equal(ledger.pendingUnits[slot], 0);
      assert.ok(Math.abs(ledger.heldUnits[slot]!) < 1e-6, `${ledger.heldUnits[slot]} are held in ${slot}`);
      assert.equal(ledger.running[slot], 0);
    }
  });
}

test("names are unique: a table has each once", () => {
  const names = ROUTERS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

test("the pool's times and outcomes are those of the run", () => {
  const router = new CoreRouter("round_robin", 1, BARE_POOL_OPTIONS);
  const sent = [0, 1].map((id) => request({ id, atS: id * 10, inputTokens: 50, outputTokens: 3 }));
  run({ model: PLAIN, engines: 2, workload: new ListedWorkload(sent), router });
  const { ledger, members } = router.pool;
  for (const { slot } of members.list) {
    assert.deepEqual([ledger.picks[slot], ledger.successes[slot], ledger.failures[slot]], [1, 1, 0]);
    assert.equal(ledger.latencyMs[slot], 50_000);
  }
});

test("a death is a failure of that engine, and the request goes on with another", () => {
  const router = new CoreRouter("round_robin", 1, BARE_POOL_OPTIONS);
  const sent = [request({ inputTokens: 50, outputTokens: 3 })];
  const faults = ["0: crash at 20s for 1s", "1: crash at 20s for 1s"].map(parseFault);
  const { flights } = run({ model: PLAIN, engines: 3, workload: new ListedWorkload(sent), router, faults });
  const { ledger, members } = router.pool;
  const failures = members.list.reduce((sum, { slot }) => sum + ledger.failures[slot]!, 0);
  assert.equal(failures, flights[0]!.tried.length);
  assert.deepEqual([flights[0]!.ending, flights[0]!.tried.length > 0], ["answered", true]);
});
