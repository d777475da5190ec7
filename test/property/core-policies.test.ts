import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { hashText } from "../../src/core/kit/hash.ts";
import { POLICIES } from "../../src/core/policies/index.ts";
import { rendezvousScore } from "../../src/core/policies/hash.ts";
import { equals, makeFleet, send, work } from "../laws/law.ts";

test("round_robin gives each exactly its weight in every cycle", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(weights, (weights) => {
      const { pool } = makeFleet("round_robin", 1, { specs: weighted(weights) });
      const cycle = weights.reduce((sum, weight) => sum + weight);
      for (let round = 0; round < 3; round++) {
        const counts = weights.map(() => 0);
        for (let i = 0; i < cycle; i++) counts[Number(next(pool).slice(1))]! += 1;
        assert.deepEqual(counts, weights);
      }
    }),
    { numRuns: 60 },
  );
});

test("round_robin is smooth: nobody is ahead or behind of his due by a whole turn of all", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(weights, (weights) => {
      const { pool } = makeFleet("round_robin", 1, { specs: weighted(weights) });
      const cycle = weights.reduce((sum, weight) => sum + weight);
      const counts = weights.map(() => 0);
      for (let i = 1; i <= cycle; i++) {
        counts[Number(next(pool).slice(1))]! += 1;
        for (const [index, weight] of weights.entries()) {
          const ahead = counts[index]! - (i * weight) / cycle;
          assert.ok(Math.abs(ahead) < weights.length, `b${index} is ${ahead} ahead after ${i}`);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("5/1/1 is A A B A C A A", () => {
  const { pool } = makeFleet("round_robin", 1, { specs: weighted([5, 1, 1]) });
  const cycle = Array.from({ length: 14 }, () => "ABC"[Number(next(pool).slice(1))]).join("");
  assert.equal(cycle, "AABACAAAABACAA");
});

test("rendezvous: who leaves moves only his own keys, who grows only takes", () => {
  const endpoint = fc.record({ id: fc.string(), weight: fc.double({ min: 0.1, max: 50, noNaN: true }) });
  const fleet = fc.uniqueArray(endpoint, { minLength: 2, maxLength: 12, selector: ({ id }) => id });
  const keys = fc.array(fc.nat(0xffffffff), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(fleet, keys, fc.nat(11), (fleet, keys, at) => {
      const changed = fleet[at % fleet.length]!;
      const without = fleet.filter((endpoint) => endpoint !== changed);
      const grown = fleet.map((other) =>
        other === changed ? { ...other, weight: other.weight * 2 } : other,
      );
      for (const key of keys) {
        const home = homeOf(key, fleet);
        if (home !== changed.id) assert.equal(homeOf(key, without), home);
        const after = homeOf(key, grown);
        if (after !== home) assert.equal(after, changed.id);
      }
    }),
  );
});

test("hash: a key's home does not depend on whether the others have equal weights", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xfffffffe), { minLength: 1, maxLength: 30 }), fc.nat(5), (keys, other) => {
      const even = makeFleet("hash", 1, { specs: equals(6) });
      // One is a little heavier: it may only take.
      const uneven = makeFleet("hash", 1, { specs: equals(6, (i) => ({ weight: i === other ? 1.001 : 1 })) });
      for (const key of keys) {
        const [one, two] = [send(even.pool, work({ key })), send(uneven.pool, work({ key }))];
        if (two.endpoint!.id !== `b${other}`) assert.equal(two.endpoint!.id, one.endpoint!.id);
        for (const lease of [one, two]) lease.settle("cancelled");
      }
    }),
  );
});

test("hash: no endpoint goes beyond its bound, whatever the keys", () => {
  const keys = fc.array(fc.nat(5), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(
      keys,
      fc.integer({ min: 2, max: 8 }),
      fc.double({ min: 1, max: 3, noNaN: true }),
      (keys, count, factor) => {
        const setup = { specs: equals(count), policyOptions: { balance_factor: factor } };
        const { pool, ledger } = makeFleet("hash", 1, setup);
        for (const [total, key] of keys.entries()) {
          const lease = send(pool, work({ key: hashText(String(key)) }));
          const bound = Math.ceil((factor * (total + 1)) / count);
          assert.ok(
            ledger.inFlight[lease.slot]! <= Math.max(1, bound),
            `${ledger.inFlight[lease.slot]} of ${total + 1}`,
          );
        }
      },
    ),
  );
});

test("every policy chooses one of the candidates in any state of the books", () => {
  const rows = fc.array(
    fc.record({
      inFlight: fc.nat(1_000),
      burden: fc.double({ min: 0, max: 10_000, noNaN: true }),
      weight: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      cpu: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(Number.NaN)),
      reportedAtMs: fc.oneof(fc.integer({ min: -100_000, max: 0 }), fc.constant(Number.NEGATIVE_INFINITY)),
      costMs: fc.double({ min: 0.01, max: 300_000, noNaN: true }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(rows, fc.nat(), fc.constantFrom(...POLICIES.map(({ name }) => name)), (rows, key, name) => {
      const { pool, ledger } = makeFleet(name, key, { specs: equals(rows.length) });
      for (const [index, slot] of pool.members.slots.entries()) {
        const { inFlight, ...columns } = rows[index]!;
        ledger.inFlight[slot] = inFlight;
        for (const column of ["burden", "weight", "cpu", "reportedAtMs", "costMs"] as const) {
          ledger[column][slot] = columns[column];
        }
      }
      assert.ok(pool.members.slots.includes(send(pool, work({ key })).slot));
    }),
  );
});

function weighted(weights: readonly number[]): ReturnType<typeof equals> {
  return equals(weights.length, (index) => ({ weight: weights[index]! }));
}

function next(pool: Parameters<typeof send>[0]): string {
  const lease = send(pool);
  lease.settle("cancelled");
  return lease.endpoint!.id;
}

function homeOf(key: number, fleet: readonly { id: string; weight: number }[]): string {
  let home = "";
  let highest = Number.NEGATIVE_INFINITY;
  for (const { id, weight } of fleet) {
    const score = rendezvousScore(key, hashText(id), weight);
    if (score > highest) [home, highest] = [id, score];
  }
  return home;
}
