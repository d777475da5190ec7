import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { Random } from "../../src/core/kit/random.ts";
import { type EngineModel, ENGINE_MODELS } from "../../src/sim/engine-models.ts";
import { Engine } from "../../src/sim/engine.ts";
import { Flight } from "../../src/sim/flight.ts";
import type { SimRequest } from "../../src/sim/router.ts";
import { request } from "../sim/fixtures.ts";
import { naiveEngine } from "../sim/naive-engine.ts";

test("many steps at once come to the same as one after the other, in every model", () => {
  const arbitrary = fc.record({
    seed: fc.nat(),
    model: fc.constantFrom(...ENGINE_MODELS),
    requests: fc.integer({ min: 1, max: 40 }),
    kvTokens: fc.integer({ min: 1500, max: 8000 }),
    stepTokensMax: fc.constantFrom(32, 256, 2048),
    runningMax: fc.constantFrom(1, 3, 50),
    gapS: fc.constantFrom(0.001, 0.05, 0.5),
    prefixes: fc.integer({ min: 1, max: 8 }),
  });
  let preemptions = 0;
  const property = fc.property(arbitrary, ({ seed, model, requests, gapS, prefixes, ...sizes }) => {
    const tight = { ...model, ...sizes };
    const sent = randomRequests(seed, requests, gapS, prefixes);
    const { engine, flights } = simulated(tight, sent);
    preemptions += engine.preemptions;
    for (const [index, { firstS, endS }] of naiveEngine(tight, sent).entries()) {
      const flight = flights[index]!;
      assert.ok(
        Math.abs(flight.firstS - firstS) < 1e-6,
        `first token of ${index}: ${flight.firstS}, ${firstS}`,
      );
      assert.ok(Math.abs(flight.endS - endS) < 1e-6, `end of ${index}: ${flight.endS}, ${endS}`);
    }
    assert.equal(engine.memory.heldTokens, 0);
  });
  fc.assert(property, { numRuns: 200, seed: 11 });
  assert.ok(preemptions > 50, `${preemptions} preemptions`);
});

function randomRequests(seed: number, count: number, gapS: number, prefixes: number): SimRequest[] {
  const random = new Random(seed);
  let atS = 0;
  return Array.from({ length: count }, (_, id) => {
    atS += random.exponential(gapS);
    const inputTokens = 1 + random.below(900);
    const prefix = 20 * random.below(prefixes);
    const shared = random.below(10);
    const blocks = Array.from({ length: Math.ceil(inputTokens / 50) }, (_, i) => {
      return i < shared ? prefix + i : 1000 + 20 * id + i;
    });
    const hasBlocks = random.below(5) > 0;
    const outputTokens = 1 + random.below(400);
    return request({ id, atS, inputTokens, outputTokens, blocks: hasBlocks ? blocks : [], blockTokens: 50 });
  });
}

function simulated(model: EngineModel, sent: readonly SimRequest[]): { engine: Engine; flights: Flight[] } {
  const engine = new Engine(0, model, { firstToken: () => {}, answered: () => {} });
  const flights = sent.map((one) => new Flight(one));
  for (const flight of flights) {
    while (engine.nextS <= flight.request.atS) engine.advance();
    engine.enqueue(flight, flight.request.atS);
  }
  while (engine.nextS < Number.POSITIVE_INFINITY) engine.advance();
  return { engine, flights };
}
