import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Deadline, DeadlineWheel } from "../../src/core/kit/deadline-wheel.ts";
import { Histogram, RecentHistogram } from "../../src/core/kit/histogram.ts";
import { Random } from "../../src/core/kit/random.ts";
import { RateWindow } from "../../src/core/kit/rate-window.ts";

const DEADLINES = 6;
const TICK_MS = 10;

test("the deadline wheel tells what is due: never early, at most two ticks late, once", () => {
  const which = fc.nat(DEADLINES - 1);
  // Beyond one turn of the wheel (1,024 ticks) too.
  const afterMs = fc.oneof(fc.nat(50), fc.nat(2_000), fc.nat(30_000));
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("set" as const), which, afterMs }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("takeBack" as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), which }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("advance" as const), afterMs }) },
  );
  /** What the owner of a deadline does when it is told: nothing, or something to another one. */
  const habit = fc.option(fc.record({ isRemoval: fc.boolean(), which, afterMs }), { freq: 2 });
  const habits = fc.array(habit, { minLength: DEADLINES, maxLength: DEADLINES });
  fc.assert(
    fc.property(
      fc.nat(100_000),
      habits,
      fc.array(command, { maxLength: 60 }),
      (startMs, habits, commands) => {
        const hall = new WheelHall(startMs, habits);
        for (const command of commands) {
          if (command.do === "set") hall.set(command.which, command.afterMs);
          else if (command.do === "takeBack") hall.set(command.which, Number.POSITIVE_INFINITY);
          else if (command.do === "remove") hall.remove(command.which);
          else hall.advance(command.afterMs);
        }
        hall.close();
      },
    ),
    { numRuns: 500 },
  );
});

test("a quantile is the exact one, or at most 19 % higher; countUpTo rounds up by no more", () => {
  const value = fc.double({ min: 0.011, max: 1e7, noNaN: true });
  const share = fc.double({ min: 0.001, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), share, value, (values, q, bound) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(q * values.length) - 1)]!;
      const got = histogram.quantile(q);
      assert.ok(got >= exact * (1 - ROUNDING) && got <= exact * BUCKET, `${got} for ${exact}`);
      const upTo = (limit: number): number => values.filter((value) => value <= limit).length;
      const counted = histogram.countUpTo(bound);
      assert.ok(counted >= upTo(bound) && counted <= upTo(bound * BUCKET), `${counted} up to ${bound}`);
      assert.equal(histogram.count, values.length);
    }),
  );
});

test("histograms add up, and hold any number", () => {
  const anything = fc.array(fc.double(), { maxLength: 30 });
  fc.assert(
    fc.property(anything, anything, (some, others) => {
      const [one, other, both] = [new Histogram(), new Histogram(), new Histogram()];
      for (const value of some) one.record(value);
      for (const value of others) other.record(value);
      for (const value of [...some, ...others]) both.record(value);
      one.add(other);
      for (const q of [0.01, 0.5, 0.99, 1]) assert.equal(one.quantile(q), both.quantile(q));
      assert.equal(one.countUpTo(Number.POSITIVE_INFINITY), some.length + others.length);
    }),
  );
});

test("a recent histogram knows the last period and forgets what is three periods old", () => {
  const gaps = fc.array(fc.tuple(fc.nat(1_500), fc.integer({ min: 1, max: 1_000 })), { maxLength: 40 });
  fc.assert(
    fc.property(gaps, fc.nat(4_000), (records, laterMs) => {
      const histogram = new RecentHistogram(1_000);
      let nowMs = 0;
      const seen: { atMs: number; value: number }[] = [];
      for (const [afterMs, value] of records) {
        nowMs += afterMs;
        histogram.record(value, nowMs);
        seen.push({ atMs: nowMs, value });
      }
      nowMs += laterMs;
      const top = histogram.quantile(1, nowMs);
      const since = (ageMs: number): number[] =>
        seen.filter(({ atMs }) => nowMs - atMs < ageMs).map(({ value }) => value);
      if (since(1_000).length > 0) assert.ok(top >= Math.max(...since(1_000)) * (1 - ROUNDING));
      if (since(3_000).length === 0) assert.ok(Number.isNaN(top));
      else if (!Number.isNaN(top)) assert.ok(top <= Math.max(...since(3_000)) * BUCKET);
    }),
  );
});

test("the rate window counts what happened in this second and the nine before", () => {
  const step = fc.tuple(fc.oneof(fc.nat(900), fc.nat(25_000)), fc.nat(4));
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.array(step, { maxLength: 60 }), (startMs, steps) => {
      const window = new RateWindow();
      const times: number[] = [];
      let nowMs = startMs;
      for (const [afterMs, count] of steps) {
        nowMs += afterMs;
        for (let i = 0; i < count; i++) times.push(nowMs);
        if (count > 0) window.add(nowMs, count);
        const oldest = Math.floor(nowMs / 1_000) - RateWindow.SPAN_SECONDS;
        assert.equal(window.total(nowMs), times.filter((atMs) => Math.floor(atMs / 1_000) > oldest).length);
      }
    }),
  );
});

test("dice: the same seed throws the same, a split does not shift them, all stay in range", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 1_000_000 }), (seed, bound) => {
      const [one, other] = [new Random(seed), new Random(seed)];
      const split = other.split(3);
      for (let i = 0; i < 20; i++) {
        split.float();
        const throwOne = one.below(bound);
        assert.equal(throwOne, other.below(bound));
        assert.ok(Number.isInteger(throwOne) && throwOne >= 0 && throwOne < bound);
        assert.ok(split.exponential(5) >= 0);
      }
    }),
  );
});

/** One bucket of a histogram: a quarter of an octave. */
const ROUNDING = 1e-6;
const BUCKET = 2 ** 0.25 * (1 + ROUNDING);

interface Habit {
  readonly isRemoval: boolean;
  readonly which: number;
  readonly afterMs: number;
}

/** A wheel beside the plain truth: a due time a deadline. */
class WheelHall {
  readonly #wheel: DeadlineWheel;
  readonly #deadlines: Deadline[];
  readonly #dueMs: number[] = Array.from({ length: DEADLINES }, () => Number.POSITIVE_INFINITY);
  readonly #habits: readonly (Habit | null)[];
  #nowMs: number;
  #told = 0;

  constructor(startMs: number, habits: readonly (Habit | null)[]) {
    this.#nowMs = startMs;
    this.#habits = habits;
    this.#wheel = new DeadlineWheel(TICK_MS, startMs);
    this.#deadlines = this.#dueMs.map((_, i) => new Deadline({ onDeadline: () => this.#tell(i) }));
  }

  set(which: number, afterMs: number): void {
    this.#dueMs[which] = this.#nowMs + afterMs;
    this.#wheel.set(this.#deadlines[which]!, this.#dueMs[which]);
  }

  remove(which: number): void {
    this.#dueMs[which] = Number.POSITIVE_INFINITY;
    this.#wheel.remove(this.#deadlines[which]!);
  }

  advance(afterMs: number): void {
    this.#nowMs += afterMs;
    const before = [...this.#dueMs];
    this.#told = 0;
    this.#wheel.advance(this.#nowMs);
    assert.ok(this.#told <= this.#deadlines.length * 3, "told again and again");
    for (const [which, dueMs] of this.#dueMs.entries()) {
      if (dueMs !== before[which]) continue;
      assert.ok(dueMs > this.#nowMs - 2 * TICK_MS, `${which} is late by ${this.#nowMs - dueMs} ms`);
    }
  }

  /** Takes everything out; nothing may be left. */
  close(): void {
    for (let which = 0; which < DEADLINES; which++) this.remove(which);
    assert.equal(this.#wheel.size, 0);
  }

  #tell(which: number): void {
    this.#told++;
    assert.ok(this.#dueMs[which]! <= this.#nowMs, `${which} was told early, or after it was taken back`);
    this.#dueMs[which] = Number.POSITIVE_INFINITY;
    const habit = this.#habits[which];
    if (habit === null || habit === undefined) return;
    if (habit.isRemoval) this.remove(habit.which);
    else this.set(habit.which, habit.afterMs);
  }
}
