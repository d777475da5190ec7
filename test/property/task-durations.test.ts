// How long tasks take, learned: keys apart from workers, and nothing that one wild sample could spoil.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { Random } from "../../src/core/kit/random.ts";
import { Durations } from "../../src/core/tasks/durations.ts";
import { SampleWindow } from "../../src/core/tasks/sample-window.ts";

const SEEDS = [1, 2, 3];

test("nothing known: 1 s; an unknown key: the median of all keys, however often each was seen", () => {
  const durations = new Durations();
  assert.equal(durations.predictS("a", ""), 1);
  for (let i = 0; i < 50; i++) durations.observe("often", "w", 100);
  durations.observe("b", "w", 2);
  durations.observe("c", "w", 4);
  for (let i = 0; i < 4; i++) durations.observe("often", "w", 100);
  assert.ok(Math.abs(durations.predictS("new", "") - 4) < 0.01, `${durations.predictS("new", "")}`);
});

test("median and p95 of a lognormal key; wild samples, one in ten, hardly move the median", () => {
  for (const seed of SEEDS) {
    const dice = new Random(seed);
    const durations = new Durations();
    for (let i = 0; i < 300; i++) {
      const seconds = 3 * Math.exp(0.3 * normal(dice));
      durations.observe("k", "w", i % 10 === 0 ? 1e6 : seconds);
    }
    near(durations.predictS("k", ""), 3, 0.2, `median, seed ${seed}`);
    for (let i = 0; i < 64; i++) durations.observe("k", "w", 3 * Math.exp(0.3 * normal(dice)));
    near(durations.p95S("k", ""), 3 * Math.exp(0.3 * 1.645), 0.35, `p95, seed ${seed}`);
  }
});

test("p95 is not told before 20 samples", () => {
  const durations = new Durations();
  for (let i = 0; i < 19; i++) durations.observe("k", "w", 1);
  assert.ok(Number.isNaN(durations.p95S("k", "")));
  durations.observe("k", "w", 1);
  assert.ok(Math.abs(durations.p95S("k", "") - 1) < 1e-9);
});

test("a worker that is four times slower is seen within five tasks, and its keys do not look long", () => {
  for (const seed of SEEDS) {
    const dice = new Random(seed);
    const durations = new Durations();
    const ran = (worker: string, times: number): void => {
      const key = dice.below(5);
      durations.observe(`k${key}`, worker, (key + 1) * times * Math.exp(0.2 * normal(dice)));
    };
    for (let i = 0; i < 100; i++) ran(`w${i % 3}`, 1);
    assert.equal(durations.slowness("slow"), 1);
    for (let i = 0; i < 5; i++) ran("slow", 4);
    assert.ok(durations.slowness("slow") > 2.5, `seed ${seed}: ${durations.slowness("slow")} after 5`);
    for (let i = 0; i < 30; i++) ran("slow", 4);
    near(durations.slowness("slow"), 4, 0.25, `slowness, seed ${seed}`);
    near(durations.predictS("k1", ""), 2, 0.25, `its key, seed ${seed}`);
    near(durations.predictS("k1", "slow"), 8, 0.35, `there, seed ${seed}`);
    for (let i = 0; i < 3; i++) near(durations.slowness(`w${i}`), 1, 0.15, `w${i}, seed ${seed}`);
  }
});

test("all learned at once from cold, one of four is four times slower", () => {
  for (const seed of SEEDS) {
    const dice = new Random(seed);
    const durations = new Durations();
    for (let i = 0; i < 400; i++) {
      // The slow one ends fewer.
      const worker = i % 13 === 0 ? "slow" : `w${dice.below(3)}`;
      const key = dice.below(8);
      const seconds = 2 ** key * Math.exp(0.4 * normal(dice)) * (worker === "slow" ? 4 : 1);
      durations.observe(`k${key}`, worker, seconds);
    }
    near(durations.slowness("slow"), 4, 0.4, `slowness, seed ${seed}`);
    near(durations.predictS("k3", ""), 8, 0.4, `key, seed ${seed}`);
  }
});

test("one wild task does not make a worker slow, and a worker that recovers is trusted again", () => {
  const durations = new Durations();
  for (let i = 0; i < 20; i++) durations.observe("k", `w${i % 4}`, 1);
  durations.observe("k", "new", 1000);
  assert.ok(durations.slowness("new") < 1.01);
  for (let i = 0; i < 20; i++) durations.observe("k", "w0", 5);
  assert.ok(durations.slowness("w0") > 3);
  for (let i = 0; i < 25; i++) durations.observe("k", "w0", 1);
  near(durations.slowness("w0"), 1, 0.1, "recovered");
});

test("at least so long: teaches only what is longer than expected", () => {
  const durations = new Durations();
  for (let i = 0; i < 10; i++) durations.observe("k", "w", 10);
  for (let i = 0; i < 100; i++) durations.observeAtLeast("k", "w", 1);
  near(durations.predictS("k", "w"), 10, 0.01, "shorter");
  for (let i = 0; i < 12; i++) durations.observeAtLeast("k", "w", 60);
  assert.ok(durations.predictS("k", "w") > 20);
});

test("keys are bounded: who was not seen for the longest time goes first", () => {
  const durations = new Durations(3);
  for (const key of ["a", "b", "c", "a", "d"]) durations.observe(key, "w", key === "a" ? 50 : 2);
  assert.equal(durations.keyCount, 3);
  near(durations.predictS("a", ""), 50, 0.01, "kept");
});

test("save and load keep what is predicted; no cut or changed byte is taken for something else", () => {
  const sample = fc.record({
    key: fc.string({ unit: "binary", maxLength: 8 }),
    worker: fc.constantFrom("", "w1", "w2", "ü"),
    seconds: fc.double({ min: 0, max: 1e7, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 150 }), fc.nat(), fc.nat(255), (samples, at, byte) => {
      const before = new Durations();
      for (const { key, worker, seconds } of samples) before.observe(key, worker, seconds);
      const bytes = before.save();
      const after = new Durations();
      assert.ok(after.load(bytes));
      assert.deepEqual(after.save(), bytes);
      for (const { key, worker } of samples.filter(({ key }) => key.isWellFormed())) {
        near(after.predictS(key, worker), before.predictS(key, worker), 0.001, "predicted");
      }
      assert.equal(new Durations().load(bytes.subarray(0, at % bytes.length)), false);
      const changed = bytes.slice();
      changed[at % bytes.length] = byte;
      const fromChanged = new Durations();
      if (fromChanged.load(changed)) assert.ok(fromChanged.predictS("x", "w1") > 0);
      else assert.deepEqual(fromChanged.predictS("x", "w1"), 1);
    }),
  );
});

test("never zero, infinite or NaN, whatever it is told", () => {
  const durations = new Durations();
  for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-300, 1e300]) {
    durations.observe("k", "w", seconds);
    const predicted = durations.predictS("k", "w");
    assert.ok(predicted > 0 && Number.isFinite(predicted), `${predicted} after ${seconds}`);
  }
  durations.observe("\ud800", "w", 1);
  durations.observe("\ud801", "w", 1);
  assert.ok(new Durations().load(durations.save()), "what it can not keep does not spoil the rest");
});

test("a window's quantiles are those of its last samples, sorted", () => {
  const samples = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(samples, fc.nat(4), fc.double({ min: 0, max: 1, noNaN: true }), (all, zeros, part) => {
      const window = new SampleWindow(16);
      for (const sample of all) window.push(sample);
      const last = all.slice(-16);
      assert.deepEqual(window.inOrderOfAge(), last);
      const sorted = [...last, ...Array.from({ length: zeros }, () => 0)].sort((a, b) => a - b);
      const middle = (sorted.length - 1) / 2;
      const expected = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
      assert.equal(window.medianAmong(zeros), expected);
      const bySize = last.toSorted((a, b) => a - b);
      const value = window.quantile(part);
      assert.ok(value >= bySize[0]! && value <= bySize.at(-1)!);
    }),
  );
});

function near(value: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(value / expected - 1) <= tolerance, `${what}: ${value}, expected about ${expected}`);
}

function normal(dice: Random): number {
  return Math.sqrt(-2 * Math.log(1 - dice.float())) * Math.cos(2 * Math.PI * dice.float());
}
