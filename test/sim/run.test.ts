// Whole runs: what must hold whatever the workload, the faults and the router.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { Random } from "../../src/core/kit/random.ts";
import { CoreRouter } from "../../src/sim/core-router.ts";
import type { EngineModel } from "../../src/sim/engine-models.ts";
import { engineModel } from "../../src/sim/engine-models.ts";
import { type Fault, parseFault } from "../../src/sim/faults.ts";
import type { AnswerFacts, FleetView, Router, SimRequest } from "../../src/sim/router.ts";
import { run, type RunResult } from "../../src/sim/run.ts";
import { score } from "../../src/sim/score.ts";
import { WORKLOADS } from "../../src/sim/workloads/index.ts";
import { ListedWorkload } from "../../src/sim/workloads/workload.ts";
import { PLAIN, request } from "./fixtures.ts";

/** Random choice that keeps books of all it is told, and complains when they do not add up. */
class Auditor implements Router {
  readonly name = "auditor";
  readonly #random: Random;
  readonly #where = new Map<number, number>();
  readonly #begun = new Set<number>();
  readonly ended = new Map<number, AnswerFacts | null>();
  #nowS = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    this.#goOn(nowS);
    assert.equal(this.#where.has(request.id), false, "it is asked once at a time");
    assert.ok(nowS >= request.atS);
    for (const engine of view.engines) {
      const cached = view.cachedTokens(engine, request);
      assert.ok(cached >= 0 && cached < request.inputTokens);
      const { kvUsage, waitingTokens, contextTokens, waiting, running } = view.polled(engine, 0.05);
      assert.ok(kvUsage >= 0 && kvUsage <= 1, `${kvUsage} of the KV cache is held`);
      assert.ok(waitingTokens >= 0 && contextTokens >= 0 && waiting >= 0 && running >= 0);
    }
    const engine = view.engines[this.#random.below(view.engines.length)]!;
    this.#where.set(request.id, engine);
    return engine;
  }

  firstToken(request: SimRequest, engine: number, nowS: number): void {
    this.#goOn(nowS);
    assert.equal(this.#where.get(request.id), engine);
    assert.equal(this.#begun.has(request.id), false, "there is one first token");
    this.#begun.add(request.id);
  }

  finished(request: SimRequest, facts: AnswerFacts, nowS: number): void {
    this.#goOn(nowS);
    assert.equal(this.#where.get(request.id), facts.engine);
    assert.equal(this.#begun.has(request.id), true);
    assert.equal(facts.outputTokens, request.outputTokens);
    assert.ok(facts.ttftS > 0 && facts.decodeS >= 0);
    this.#end(request, facts);
  }

  failed(request: SimRequest, engine: number, nowS: number): void {
    this.#goOn(nowS);
    assert.equal(this.#where.get(request.id), engine);
    this.#where.delete(request.id);
    this.ended.set(request.id, null);
  }

  #end(request: SimRequest, facts: AnswerFacts): void {
    this.#where.delete(request.id);
    assert.equal(this.ended.get(request.id) ?? null, null, "it ends once");
    this.ended.set(request.id, facts);
  }

  #goOn(nowS: number): void {
    assert.ok(nowS >= this.#nowS, `time runs back: ${this.#nowS} to ${nowS}`);
    this.#nowS = nowS;
  }

  get open(): number {
    return this.#where.size;
  }
}

/** Short of everything: small cache, small steps. */
const TIGHT: EngineModel = {
  ...engineModel("a100-8b")!,
  kvTokens: 3000,
  runningMax: 12,
  stepTokensMax: 256,
};

const FAULTS: readonly string[] = [
  "0: speed 0.35 from 5s",
  "1: crash at 10s for 5s cold 3s",
  "*: crash at 30s for 2s",
  "2: flap every 8s from 12s",
  "0: hang from 20s for 10s",
  "1: hang from 60s",
  "3: joins at 15s cold 5s",
  "2: leaves at 40s",
  "*: speed 2 from 10s for 20s",
  "0: lies idle from 1s",
  "1: lies frozen from 5s for 5s",
];

function checkLaws({ flights, fleet, endS }: RunResult, router: Auditor, sent: readonly SimRequest[]): void {
  assert.equal(router.open, 0, "the router is told of every end");
  assert.deepEqual(
    flights.map((flight) => flight.request.id),
    sent.map(({ id }) => id),
  );
  for (const { request, ending, firstS, endS: atS } of flights) {
    assert.notEqual(ending, null, `request ${request.id} has ended`);
    if (ending !== "answered") continue;
    assert.ok(firstS > request.atS && atS >= firstS && atS <= endS);
    const facts = router.ended.get(request.id)!;
    assert.ok(Math.abs(facts.ttftS - (firstS - request.atS)) < 1e-9);
  }
  const finished = fleet.all.reduce((sum, engine) => sum + engine.finished, 0);
  assert.equal(finished, flights.filter(({ ending }) => ending === "answered").length);
  for (const engine of fleet.all) {
    assert.ok(engine.memory.usedTokens <= engine.model.kvTokens);
    assert.ok(engine.busyS <= endS + 1e-6);
  }
}

test("every request ends once, caches keep their size and books add up, whatever happens", () => {
  const arbitrary = fc.record({
    seed: fc.nat(),
    requests: fc.integer({ min: 1, max: 150 }),
    gapS: fc.constantFrom(0.01, 0.2, 1),
    faults: fc.subarray([...FAULTS]),
    prefixes: fc.integer({ min: 1, max: 30 }),
  });
  let preemptions = 0;
  let lost = 0;
  const property = fc.property(arbitrary, ({ seed, requests, gapS, faults, prefixes }) => {
    const random = new Random(seed);
    let atS = 0;
    const sent = Array.from({ length: requests }, (_, id) => {
      atS += random.exponential(gapS);
      const prefix = random.below(prefixes) * 100;
      const inputTokens = 1 + random.below(1200);
      const shared = random.below(12);
      const blocks = Array.from({ length: Math.ceil(inputTokens / 100) }, (_, i) =>
        i < shared ? prefix + i : 10_000 + id * 12 + i,
      );
      const outputTokens = 1 + random.below(600);
      return request({ id, atS, inputTokens, outputTokens, blocks, blockTokens: 100 });
    });
    const hasJoiner = faults.some((fault) => fault.startsWith("3:"));
    assert.equal(hasJoiner, faults.includes("3: joins at 15s cold 5s"));
    const router = new Auditor(seed);
    const result = run({
      model: TIGHT,
      engines: 3,
      workload: new ListedWorkload(sent),
      router,
      faults: faults.map(parseFault),
    });
    checkLaws(result, router, sent);
    for (const { memory, number } of result.fleet.all) {
      // A hang for good holds what it has.
      if (!faults.includes("1: hang from 60s") || number !== 1) {
        assert.ok(memory.heldTokens === 0, `engine ${number} holds ${memory.heldTokens} tokens at rest`);
      }
    }
    preemptions += score(result).preemptions;
    lost += score(result).lost;
  });
  fc.assert(property, { numRuns: 150, seed: 6 });
  assert.ok(preemptions > 0, "the cache was full at times");
  assert.ok(lost > 0, "engines died in the middle of answers");
});

for (const source of WORKLOADS) {
  test(`${source.name}: the same seed gives the same run to the bit, another one another`, () => {
    const once = (seed: number): string => {
      const workload = source.create({ requests: 300, seed, requestsPerS: 5, isJittered: false });
      const router = new CoreRouter("p2c", seed);
      const { flights } = run({ model: engineModel("a100-8b")!, engines: 4, workload, router });
      return JSON.stringify(
        flights.map(({ engine, firstS, endS, cachedTokens }) => [engine, firstS, endS, cachedTokens]),
      );
    };
    assert.equal(once(1), once(1));
    assert.notEqual(once(1), once(2));
  });
}

/** Runs a few requests, one a second, through a router that takes the first engine listed. */
function firstListed(
  faults: readonly string[],
  requests: number,
  outputTokens = 3,
): RunResult & { told: string[] } {
  const told: string[] = [];
  const router: Router = {
    name: "first",
    route(it, view, nowS) {
      told.push(`${nowS} route ${it.id} of ${view.engines.join()}`);
      return view.engines[0]!;
    },
    firstToken: (it, engine, nowS) => void told.push(`${nowS} first ${it.id} at ${engine}`),
    finished: (it, facts, nowS) => void told.push(`${nowS} end ${it.id} at ${facts.engine}`),
    failed: (it, engine, nowS) => void told.push(`${nowS} failed ${it.id} at ${engine}`),
  };
  const sent = Array.from({ length: requests }, (_, id) => {
    return request({ id, atS: id * 100, inputTokens: 50, outputTokens });
  });
  const workload = new ListedWorkload(sent);
  const parsed: Fault[] = faults.map(parseFault);
  return { ...run({ model: PLAIN, engines: 2, workload, router, faults: parsed }), told };
}

test("a death before the first token sends the request elsewhere, at once", () => {
  const { told, flights } = firstListed(["0: crash at 20s for 10s"], 2);
  assert.deepEqual(told, [
    "0 route 0 of 0,1",
    "20 failed 0 at 0",
    "20 route 0 of 1",
    "70 first 0 at 1",
    "90 end 0 at 1",
    "100 route 1 of 0,1",
    "150 first 1 at 0",
    "170 end 1 at 0",
  ]);
  assert.equal(flights[0]!.firstS, 70);
});

test("a death after it loses the request", () => {
  const { told, flights } = firstListed(["0: crash at 60s"], 1);
  assert.deepEqual(told, ["0 route 0 of 0,1", "50 first 0 at 0", "60 failed 0 at 0"]);
  assert.equal(flights[0]!.ending, "lost");
});

test("a dead engine refuses connections until that is noticed, 2 s later", () => {
  const early = firstListed(["0: crash at 99s"], 2).told;
  assert.deepEqual(early.slice(3), [
    "100 route 1 of 0,1",
    "100 failed 1 at 0",
    "100 route 1 of 1",
    "150 first 1 at 1",
    "170 end 1 at 1",
  ]);
  const late = firstListed(["0: crash at 97s"], 2).told;
  assert.equal(late[3], "100 route 1 of 1");
});

test("with nobody listed requests are refused", () => {
  const { flights } = firstListed(["*: crash at 95s"], 2);
  assert.deepEqual(
    flights.map(({ ending }) => ending),
    ["answered", "refused"],
  );
});

test("an engine that joins is listed when it has started; one that leaves ends what it has", () => {
  const { told } = firstListed(["2: joins at 50s cold 60s", "0: leaves at 30s"], 3);
  const routes = told.filter((line) => line.includes("route"));
  assert.deepEqual(routes, ["0 route 0 of 0,1", "100 route 1 of 1", "200 route 2 of 1,2"]);
  assert.ok(told.includes("70 end 0 at 0"));
});

test("two speeds multiply", () => {
  const { told } = firstListed(["0: speed 0.5", "*: speed 0.5"], 1);
  assert.equal(told[1], "200 first 0 at 0");
});

test("what hangs for good is lost in the end", () => {
  const { flights, endS } = firstListed(["0: hang from 60s"], 1);
  assert.equal(flights[0]!.ending, "lost");
  assert.ok(endS < 3700);
});

test("what no engine could hold is refused", () => {
  const router = new CoreRouter("least_request", 1);
  const workload = new ListedWorkload([request({ inputTokens: 990, outputTokens: 11 })]);
  const { flights } = run({ model: PLAIN, engines: 2, workload, router });
  assert.equal(flights[0]!.ending, "refused");
});

test("a lying engine says that it is idle, or what it said before", () => {
  const said: unknown[] = [];
  const router: Router = {
    name: "reader",
    route(_it, view) {
      said.push([0, 1].map((engine) => view.polled(engine, 10).waiting));
      return said.length % 2;
    },
  };
  const sent = Array.from({ length: 8 }, (_, id) => request({ id, atS: id * 10 + 5, inputTokens: 90 }));
  const faults = ["0: lies idle", "1: lies frozen from 32s"].map(parseFault);
  run({ model: PLAIN, engines: 2, workload: new ListedWorkload(sent), router, faults });
  // Request 0 goes to engine 1 at 5 s, 2 at 25 s, and so on; a poll every 10 s sees what is not begun or
  // written.
  assert.deepEqual(said.slice(0, 6), [
    [0, 0],
    [0, 1],
    [0, 1],
    [0, 2],
    [0, 2],
    [0, 2],
  ]);
});

test("looking at engines in the middle of their steps changes nothing", () => {
  const ends = (looks: boolean): number[] => {
    const random = new Random(4);
    const router: Router = {
      name: "looker",
      route(it, view) {
        if (looks) for (const engine of view.engines) view.polled(engine, 0.01);
        if (looks) for (const engine of view.engines) view.cachedTokens(engine, it);
        return random.below(3);
      },
    };
    const workload = WORKLOADS[0]!.create({ requests: 300, seed: 1, requestsPerS: 6, isJittered: false });
    return run({ model: engineModel("a100-8b")!, engines: 3, workload, router }).flights.map(
      ({ endS }) => endS,
    );
  };
  const [plain, watched] = [ends(false), ends(true)];
  for (const [index, endS] of plain.entries()) {
    assert.ok(
      Math.abs(watched[index]! - endS) < 1e-6,
      `request ${index} ends at ${endS} and ${watched[index]}`,
    );
  }
});
