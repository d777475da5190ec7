import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Outlier, type OutlierOptions } from "../../src/core/health/outlier.ts";
import { type ProbeState, stepProbe } from "../../src/core/health/probe-state.ts";
import { rampShare } from "../../src/core/health/slow-start.ts";
import { Slowdown } from "../../src/core/health/slowdown.ts";
import { Random } from "../../src/core/kit/random.ts";

const OPTIONS: OutlierOptions = {
  consecutive: 5,
  failures: 10,
  of: 20,
  ejectionMs: 1_000,
  ejectionMsMax: 60_000,
};

test("failures in a row and of the last n are counted as in a list", () => {
  const outcomes = fc.array(fc.oneof(fc.boolean(), fc.constant(true)), { maxLength: 120 });
  fc.assert(
    fc.property(outcomes, fc.integer({ min: 1, max: 32 }), (failures, of) => {
      const outlier = new Outlier({ ...OPTIONS, of }, new Random(1));
      const list: boolean[] = [];
      for (const isFailure of failures) {
        if (isFailure) outlier.failed(false);
        else outlier.succeeded(0);
        list.push(isFailure);
        const row = list.length - 1 - list.lastIndexOf(false);
        assert.equal(outlier.consecutive, Math.min(row, 32));
        assert.equal(outlier.failuresOf, list.slice(-of).filter(Boolean).length);
      }
    }),
  );
});

test("an ejection comes exactly when a rule says so", () => {
  const rules = fc.record({
    consecutive: fc.integer({ min: 1, max: 32 }),
    failures: fc.integer({ min: 1, max: 32 }),
    of: fc.integer({ min: 1, max: 32 }),
  });
  fc.assert(
    fc.property(rules, fc.array(fc.boolean(), { maxLength: 80 }), (rules, outcomes) => {
      const outlier = new Outlier({ ...OPTIONS, ...rules }, new Random(1));
      let list: boolean[] = [];
      for (const isFailure of outcomes) {
        list.push(isFailure);
        if (!isFailure) {
          assert.equal(outlier.succeeded(0), false);
          continue;
        }
        const reason = outlier.failed(false);
        const isRow = list.length >= rules.consecutive && list.slice(-rules.consecutive).every(Boolean);
        const isMany = list.slice(-rules.of).filter(Boolean).length >= rules.failures;
        assert.equal(reason, isRow ? "consecutive_failures" : isMany ? "failures_of_last" : null);
        if (reason === null) continue;
        outlier.eject(reason, 0);
        assert.equal(outlier.failed(false), null, "who is out can not be ejected again");
        outlier.beginProbation(0);
        assert.equal(outlier.succeeded(0), true, "a success on probation readmits");
        list = [];
      }
    }),
  );
});

test("ejections double up to the maximum, within 10 % of jitter, and a healthy time is counted for", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), fc.nat(20), (seed, times, healthyMinutes) => {
      const outlier = new Outlier(OPTIONS, new Random(seed));
      let nowMs = 0;
      const fail = (): number => {
        outlier.eject("consecutive_failures", nowMs);
        return outlier.untilMs - nowMs;
      };
      const isAbout = (gotMs: number, dueMs: number): boolean => gotMs >= dueMs && gotMs <= dueMs * 1.1;
      for (let ejection = 0; ejection < times; ejection++) {
        const lastsMs = fail();
        assert.ok(isAbout(lastsMs, Math.min(1_000 * 2 ** ejection, 60_000)), `${ejection}: ${lastsMs}`);
        nowMs = outlier.untilMs;
        outlier.beginProbation(nowMs);
        assert.equal(outlier.failed(false), "trial_failed");
      }
      assert.equal(outlier.succeeded(nowMs), true);
      nowMs += healthyMinutes * 60_000;
      const left = Math.max(0, times - healthyMinutes);
      assert.ok(isAbout(fail(), Math.min(1_000 * 2 ** Math.min(left, 20), 60_000)));
    }),
  );
});

test("probes: `fall` failures in a row take it down, `rise` passes bring it back", () => {
  const thresholds = fc.record({
    rise: fc.integer({ min: 1, max: 5 }),
    fall: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(thresholds, fc.array(fc.boolean(), { maxLength: 60 }), (thresholds, passes) => {
      let state: ProbeState = { kind: "unknown" };
      let isUp = true;
      /** Results since it turned last. */
      let since: boolean[] = [];
      for (const [index, passed] of passes.entries()) {
        state = stepProbe(state, passed ? { passed } : { passed, detail: "500" }, thresholds);
        since.push(passed);
        if (index === 0) isUp = passed;
        else {
          const needed = isUp ? thresholds.fall : thresholds.rise;
          const recent = since.slice(-needed);
          const turns = recent.length === needed && recent.every((result) => result !== isUp);
          if (turns) isUp = !isUp;
          if (!turns) {
            assert.equal(state.kind, isUp ? "up" : "down");
            continue;
          }
        }
        since = [];
        assert.equal(state.kind, isUp ? "up" : "down");
      }
    }),
  );
});

test("the ramp is a straight line from 10 % to 100 %", () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(ms, ms, fc.double({ min: 1, max: 1e6, noNaN: true }), (one, other, durationMs) => {
      const [early, late] = [Math.min(one, other), Math.max(one, other)];
      const [before, after] = [rampShare(early, durationMs), rampShare(late, durationMs)];
      assert.ok(before >= 0.1 && after <= 1 && before <= after);
      assert.ok(after - before <= (late - early) / durationMs + 1e-9, "it jumps");
    }),
  );
});

test("the slower, the less: the share falls with the score and is never zero; unknown is no blame", () => {
  const slowdown = new Slowdown({ tolerance: 2, useless: 20 });
  const figure = fc.oneof(fc.double({ min: 0.001, max: 1e6, noNaN: true }), fc.constant(Number.NaN));
  const figures = fc.record({
    latencyMs: figure,
    medianMs: figure,
    pastMs: figure,
    medianChange: figure,
    samples: fc.nat(30),
  });
  fc.assert(
    fc.property(figures, figure, (figures, otherScore) => {
      const score = slowdown.score(figures);
      assert.ok(score > 0, `a score of ${score}`);
      if (Number.isNaN(figures.latencyMs) || figures.samples < 10) assert.equal(score, 1);
      const share = slowdown.share(score);
      assert.ok(share > 0 && share <= 1);
      if (score <= 2) assert.equal(share, 1);
      if (otherScore > score) assert.ok(slowdown.share(otherScore) <= share);
    }),
  );
});
