// What tasks take of a worker: never more than there is, never less than nothing, and all of it comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { dominantShare, fits, giveBack, take } from "../../src/core/tasks/resources.ts";

const want = fc.record(
  {
    cpu: fc.integer({ min: 0, max: 6400 }).map((hundredths) => hundredths / 100),
    mem: fc.integer({ min: 0, max: 2 ** 42 }),
    gpu: fc.integer({ min: 0, max: 8 }),
    licences: fc.double({ min: 0, max: 1e9, noNaN: true }),
  },
  { requiredKeys: [] },
);
const capacity = { cpu: 128, mem: 2 ** 44, gpu: 8, licences: 5e9 };

test("what fits is within the capacity, and at rest nothing is taken", () => {
  const steps = fc.array(fc.record({ want, which: fc.nat(20) }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (all) => {
      const used: Record<string, number> = {};
      const held: (typeof all)[number]["want"][] = [];
      for (const { want, which } of all) {
        if (fits(capacity, used, want)) {
          take(used, want);
          held.push(want);
        } else if (held.length > 0) giveBack(used, held.splice(which % held.length, 1)[0]!);
        for (const [name, amount] of Object.entries(used)) {
          const has = capacity[name as keyof typeof capacity];
          assert.ok(amount >= 0 && amount <= has * (1 + 1e-6), `${name}: ${amount} of ${has}`);
        }
      }
      for (const want of held) giveBack(used, want);
      assert.deepEqual(
        Object.values(used).filter((amount) => amount > 0),
        [],
      );
    }),
  );
});

test("ten tasks of a tenth of a core fit one core, eleven do not", () => {
  const used: Record<string, number> = {};
  for (let i = 0; i < 10; i++) {
    assert.ok(fits({ cpu: 1 }, used, { cpu: 0.1 }));
    take(used, { cpu: 0.1 });
  }
  assert.equal(fits({ cpu: 1 }, used, { cpu: 0.1 }), false);
  for (let i = 0; i < 10; i++) giveBack(used, { cpu: 0.1 });
  assert.deepEqual(used, {});
});

test("what a worker does not name it has none of, and nothing is always there", () => {
  assert.equal(fits({ cpu: 4 }, {}, { gpu: 1 }), false);
  assert.equal(fits({ cpu: 4 }, {}, { gpu: 0, cpu: 4 }), true);
  assert.equal(fits({}, {}, {}), true);
});

test("the dominant share is that of the scarcest, 0..1", () => {
  const total = { cpu: 100, gpu: 4 };
  assert.equal(dominantShare({ cpu: 10, gpu: 1 }, total), 0.25);
  assert.equal(dominantShare({ cpu: 50, gpu: 1 }, total), 0.5);
  assert.equal(dominantShare({ tpu: 1 }, total), 1);
  assert.equal(dominantShare({ cpu: 1e9 }, total), 1);
  assert.equal(dominantShare({}, total), 0);
  fc.assert(
    fc.property(want, (some) => {
      const share = dominantShare(some, capacity);
      assert.ok(share >= 0 && share <= 1);
    }),
  );
});
