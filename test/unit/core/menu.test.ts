import assert from "node:assert/strict";
import { test } from "node:test";

import { VirtualClock } from "../../../src/core/kit/clock.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Ledger } from "../../../src/core/ledger.ts";
import { createPolicy } from "../../../src/core/policies/create.ts";
import { POLICIES } from "../../../src/core/policies/index.ts";
import { defaultOptions } from "../../../src/core/policies/policy.ts";
import { Work } from "../../../src/core/work.ts";

const KIT = { random: new Random(1), slotsMax: 4 };

test("every policy of the menu has its own name, one line about it, and defaults that it takes", () => {
  const names = POLICIES.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, summary, options } of POLICIES) {
    assert.match(name, /^[a-z][a-z0-9_]+$/);
    assert.ok(summary.length > 10 && !summary.includes("\n") && !summary.endsWith("."), name);
    assert.equal(typeof createPolicy(name, KIT, defaultOptions(options)).pick, "function");
    for (const [option, field] of Object.entries(options)) {
      assert.match(option, /^[a-z][a-z0-9_]+$/);
      assert.ok(field.about.length > 10, `${name}.${option} says nothing about itself`);
    }
  }
});

test("a policy, an option or a value that does not exist is refused, naming those that do", () => {
  assert.throws(() => createPolicy("round_robbin", KIT), /choose one of auto, inference, least_request/);
  assert.throws(() => createPolicy("hash", KIT, { keys: "path" }), /policy hash has no option "keys"/);
  assert.throws(() => createPolicy("hash", KIT, { balance_factor: 0.5 }), /must be a number from 1 to 100/);
  assert.throws(() => createPolicy("hash", KIT, { balance_factor: "2" }), RangeError);
  assert.throws(() => createPolicy("hash", KIT, { balance_factor: Number.NaN }), RangeError);
  assert.throws(() => createPolicy("hash", KIT, { key: 5 }), /must be a text/);
});

test("a policy without candidates answers -1", () => {
  const view = { candidates: new Int32Array(4), count: 0, nowMs: 0 };
  for (const { name } of POLICIES) {
    const policy = createPolicy(name, KIT);
    assert.equal(policy.pick({ ...view, ledger: new Ledger({ slotsMax: 4 }) }, new Work()), -1, name);
  }
});

test("virtual time does not run back", () => {
  const clock = new VirtualClock();
  clock.advance(5);
  clock.moveTo(5);
  assert.equal(clock.nowMs(), 5);
  assert.throws(() => clock.moveTo(4), RangeError);
});
