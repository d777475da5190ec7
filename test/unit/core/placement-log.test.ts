// Weighing and remembering: the cheapest stay, in their order, with the one it went to; the ring forgets.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PLACEMENTS_KEPT_MAX, PlacementLog } from "../../../src/core/inference/placement-log.ts";
import { CANDIDATES_KEPT_MAX, COST, Weighing } from "../../../src/core/inference/weighing.ts";
import { endpointSpec } from "../../../src/core/endpoint.ts";
import { VirtualClock } from "../../../src/core/kit/clock.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Lease } from "../../../src/core/lease.ts";
import { Ledger } from "../../../src/core/ledger.ts";
import { createPolicy } from "../../../src/core/policies/create.ts";
import { BARE_POOL_OPTIONS } from "../../../src/core/pool-options.ts";
import { Pool } from "../../../src/core/pool.ts";
import { Prompt } from "../../../src/core/prompt.ts";
import { Work } from "../../../src/core/work.ts";

describe("Weighing", () => {
  it("keeps the cheapest in their order, whatever the order they come in", () => {
    const random = new Random(7);
    for (let round = 0; round < 200; round++) {
      const weighing = new Weighing();
      weighing.begin();
      const costs = Array.from({ length: 1 + random.below(60) }, () => random.below(40));
      costs.forEach((cost, slot) => take(weighing, slot, cost));
      const expected = costs.toSorted((a, b) => a - b).slice(0, CANDIDATES_KEPT_MAX);
      assert.deepEqual(kept(weighing), expected);
      assert.equal(weighing.total, costs.length);
      for (let place = 0; place < weighing.count; place++) {
        assert.equal(costs[weighing.slotAt(place)], kept(weighing)[place]);
      }
    }
  });

  it("keeps the one it went to although as many others cost as much", () => {
    const weighing = new Weighing();
    weighing.begin();
    for (let slot = 0; slot < 40; slot++) take(weighing, slot, 5);
    assert.deepEqual([weighing.holds(15), weighing.holds(30)], [true, false]);
    weighing.figures[weighing.next] = 5;
    weighing.keep(30);
    assert.deepEqual([weighing.holds(15), weighing.holds(30), weighing.count], [false, true, 16]);
    assert.equal(weighing.total, 40);
  });
});

describe("PlacementLog", () => {
  it("knows each candidate's cost, whose parts add up to it", () => {
    const { pool, place } = scene(3);
    const log = new PlacementLog();
    place(log, "first", 40);
    place(log, "second", 40);
    const [first] = log.find("first", 10);
    const [second] = log.find("second", 10);
    assert.deepEqual([first!.compared, first!.promptTokens, first!.pool], [3, 5_120, "models"]);
    assert.equal(first!.candidates.length, 3);
    const home = second!.candidates.find(({ backend }) => backend === first!.backend)!;
    assert.deepEqual([home.inFlight, home.cachedTokens > 5_000, home.waitingMs > 100], [1, true, true]);
    for (const each of second!.candidates) {
      const { waitingMs, prefillMs, surchargeMs, standStillMs, contextMs, costMs } = each;
      const sum = waitingMs + prefillMs + surchargeMs + standStillMs + contextMs;
      assert.ok(Math.abs(sum - costMs) < costMs / 1e5, `${sum} is not ${costMs}`);
    }
    assert.equal(second!.candidates[0]!.backend, second!.backend);
    assert.equal(pool.weighing?.count, 3);
  });

  it("remembers so many, and no more", () => {
    const { place } = scene(2);
    const log = new PlacementLog();
    for (let i = 0; i < PLACEMENTS_KEPT_MAX + 10; i++) place(log, `request-${i}`, 1);
    assert.deepEqual([log.find("request-9", 0).length, log.find("request-10", 0).length], [0, 1]);
    assert.equal(log.find(`request-${PLACEMENTS_KEPT_MAX + 9}`, 0).length, 1);
    // An id is compared as a whole.
    assert.deepEqual([log.find("request-1", 0).length, log.find("equest-10", 0).length], [0, 0]);
  });

  it("knows every attempt of a request, the first one first", () => {
    const { place } = scene(2);
    const log = new PlacementLog();
    place(log, "again", 1, 1);
    place(log, "other", 1, 1);
    place(log, "again", 1, 2);
    assert.deepEqual(
      log.find("again", 0).map(({ attempt }) => attempt),
      [1, 2],
    );
  });

  it("tells nobody another prompt's costs: of a lease that was not weighed last it knows nothing", () => {
    const { pool, place } = scene(2);
    const log = new PlacementLog();
    place(log, "one", 1);
    log.note("two", 1, -1, new Lease(), pool);
    assert.equal(log.find("two", 0).length, 0);
  });

  it("has only the home of a session: nobody was compared", () => {
    const { pool, work } = scene(3);
    const log = new PlacementLog();
    work.sessionSlot = pool.members.list[1]!.slot;
    const lease = new Lease();
    pool.pick(work, lease);
    log.note("at-home", 1, -1, lease, pool);
    const [placement] = log.find("at-home", 0);
    assert.deepEqual([placement!.why, placement!.compared, placement!.backend], ["session", 0, "b1:80"]);
    assert.deepEqual(
      placement!.candidates.map(({ backend }) => backend),
      ["b1:80"],
    );
  });
});

function take(weighing: Weighing, slot: number, cost: number): void {
  weighing.figures[weighing.next + COST.costMs] = cost;
  weighing.take(slot);
}

function kept(weighing: Weighing): number[] {
  return Array.from(
    { length: weighing.count },
    (_, place) => weighing.figures[weighing.figuresAt(place) + COST.costMs]!,
  );
}

/** A pool that places prompts of 5,120 tokens which all begin alike. */
function scene(count: number): {
  readonly pool: Pool;
  readonly work: Work;
  readonly place: (log: PlacementLog, id: string, blocks: number, attempt?: number) => void;
} {
  const random = new Random(1);
  const ledger = new Ledger({ slotsMax: 64 });
  const policy = createPolicy("inference", { random, slotsMax: ledger.slotsMax });
  const shared = { ledger, clock: new VirtualClock(), random, policy, options: BARE_POOL_OPTIONS };
  const pool = new Pool({ name: "models", ...shared, onEvent: () => {} });
  pool.update(Array.from({ length: count }, (_, i) => endpointSpec(`b${i}:80`)));
  const work = new Work();
  const prompt = new Prompt();
  prompt.tokens = 5_120;
  prompt.blocks = Uint32Array.from({ length: 80 }, (_, i) => i + 1);
  prompt.blockCount = 40;
  work.prompt = prompt;
  const place = (log: PlacementLog, id: string, blocks: number, attempt = 1): void => {
    prompt.blockCount = blocks;
    const lease = new Lease();
    assert.equal(pool.pick(work, lease).kind, "send");
    log.note(id, attempt, -1, lease, pool);
  };
  return { pool, work, place };
}
