import assert from "node:assert/strict";
import { test } from "node:test";

import { FaultPlan } from "../../src/sim/fault-plan.ts";
import { parseFault } from "../../src/sim/faults.ts";
import { Fleet } from "../../src/sim/fleet.ts";
import { PLAIN } from "./fixtures.ts";

test("faults as people write them", () => {
  const brief = (text: string): unknown[] => {
    const { engine, kind, speed, fromS, untilS, everyS } = parseFault(text);
    return [engine, kind, speed, fromS, untilS, everyS];
  };
  const ever = Number.POSITIVE_INFINITY;
  assert.deepEqual(brief("0: speed 0.35 from 60s"), [0, "speed", 0.35, 60, ever, 0]);
  assert.deepEqual(brief("*: slow 0.35x for 2m"), [-1, "speed", 0.35, 0, 120, 0]);
  assert.deepEqual(brief("2: crash at 100s for 30s"), [2, "down", 1, 100, 130, 0]);
  assert.deepEqual(brief("2: crash at 100s for 30s cold 45s"), [2, "down", 1, 100, 175, 0]);
  assert.deepEqual(brief("1: flap every 20s"), [1, "down", 1, 10, 20, 20]);
  assert.deepEqual(brief(" 8:joins  at 120s cold 45s "), [8, "absent", 1, 0, 165, 0]);
  assert.deepEqual(brief("3: hang from 50s"), [3, "hang", 1, 50, ever, 0]);
  assert.deepEqual(brief("3: leaves at 500ms"), [3, "absent", 1, 0.5, ever, 0]);
  assert.deepEqual(brief("0: lies idle"), [0, "lie_idle", 1, 0, ever, 0]);
});

test("what is not understood: what was found and what to write", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["crash at 60s", /it begins with an engine/],
    [
      "0: explode at 60s",
      /"explode" is no fault; write one of speed, crash, flap, hang, joins, leaves, lies/,
    ],
    ["0: speed", /write it like "0: speed 0.35 from 60s for 30s"/],
    ["0: speed 0", /write it like/],
    ["0: speed fast from 60s", /write it like/],
    ["0: crash", /write it like "2: crash at 100s/],
    ["0: crash at 60", /after "at" comes a time such as 60s/],
    ["0: crash at 60s at 70s", /"at" is there twice/],
    ["0: crash at 60s every 5s", /"every" does not belong there/],
    ["0: flap every 0s", /write it like/],
    ["*: joins at 60s", /name one engine/],
    ["0: lies loudly", /write it like "0: lies idle/],
  ];
  for (const [text, expected] of cases) assert.throws(() => parseFault(text), expected, text);
});

test("a fault that means an engine that is not there is an error", () => {
  const sink = { firstToken: (): void => {}, answered: (): void => {} };
  const fleet = (...texts: string[]): Fleet => {
    return new Fleet({ model: PLAIN, engines: 2, faults: texts.map(parseFault), sink });
  };
  assert.throws(() => fleet("2: crash at 5s"), /fault means engine 2: the fleet has engines 0 to 1/);
  assert.throws(() => fleet("3: joins at 5s"), /engine 2 is missing/);
  assert.equal(fleet("2: joins at 5s", "2: crash at 50s").all.length, 3);
});

test("what comes again comes for ever, in the order of time; ends come before beginnings", () => {
  const plan = new FaultPlan(["0: flap every 20s", "1: crash at 20s for 5s"].map(parseFault));
  const taken = Array.from({ length: 7 }, () => {
    const { atS, fault, begins } = plan.take();
    return `${atS} ${fault.engine} ${begins ? "begins" : "ends"}`;
  });
  assert.deepEqual(taken, [
    "10 0 begins",
    "20 0 ends",
    "20 1 begins",
    "25 1 ends",
    "30 0 begins",
    "40 0 ends",
    "50 0 begins",
  ]);
  assert.equal(plan.nextS, 60);
});
