import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Ledger } from "../../src/core/ledger.ts";
import { DECAY_MS, median, PENALTY_MS_MIN, Speed } from "../../src/core/speed.ts";

const PEERS = 5;
const USUAL_MS = 100;
const CAP_MS = 300_000;

test("aborts in a row raise the estimate geometrically, to a cap and never below the wait", () => {
  const waits = fc.array(fc.integer({ min: USUAL_MS, max: 5_000 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(waits, (waits) => {
      const { ledger, speed, slot } = fleet();
      let nowMs = 0;
      let before = USUAL_MS;
      for (const [index, waitedMs] of waits.entries()) {
        const beganAtMs = nowMs;
        nowMs += waitedMs;
        speed.observeAtLeast(slot, waitedMs, beganAtMs, nowMs);
        const peak = ledger.peakMs[slot]!;
        const agedMs = USUAL_MS + (before - USUAL_MS) * Math.exp(-waitedMs / DECAY_MS);
        const due =
          index === 0 ? Math.max(waitedMs, before) : Math.min(2 * Math.max(waitedMs, agedMs), CAP_MS);
        assert.ok(Math.abs(peak - due) < 1e-6 * due, `${peak} after ${index + 1}, ${due} was due`);
        assert.ok(peak >= waitedMs);
        assert.equal(ledger.costMs[slot], peak, "the pick sees it at once");
        before = peak;
      }
    }),
  );
});

test("aborts of attempts that ran at the same time are one piece of news", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: USUAL_MS, max: 10_000 }),
      (count, waitedMs) => {
        const { ledger, speed, slot } = fleet();
        for (let i = 0; i < count; i++) speed.observeAtLeast(slot, waitedMs, 0, waitedMs);
        assert.equal(ledger.peakMs[slot], waitedMs);
      },
    ),
  );
});

test("who leaves sooner than answers usually come says nothing", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: USUAL_MS - 0.001, noNaN: true }), (waitedMs) => {
      const { ledger, speed, slot } = fleet();
      const before = [ledger.peakMs[slot], ledger.latencyMs[slot], ledger.samples[slot]];
      speed.observeAtLeast(slot, waitedMs, 0, waitedMs);
      assert.deepEqual([ledger.peakMs[slot], ledger.latencyMs[slot], ledger.samples[slot]], before);
    }),
  );
});

test("what is worse than the peers is forgiven with time, towards their median", () => {
  const peaks = fc.integer({ min: USUAL_MS, max: CAP_MS });
  fc.assert(
    fc.property(peaks, fc.array(fc.nat(20_000), { maxLength: 20 }), (peakMs, steps) => {
      const { ledger, speed, slot, slots } = fleet();
      speed.observeFailure(slot, peakMs, 0);
      let nowMs = 0;
      let before = ledger.costMs[slot]!;
      for (const stepMs of steps) {
        nowMs += stepMs;
        speed.age(slots, PEERS, nowMs);
        const cost = ledger.costMs[slot]!;
        const due = USUAL_MS + (peakMs - USUAL_MS) * Math.exp(-nowMs / DECAY_MS);
        assert.ok(Math.abs(cost - due) <= 1e-6 * due, `${cost} after ${nowMs} ms, ${due} was due`);
        assert.ok(cost <= before && cost >= USUAL_MS);
        before = cost;
      }
    }),
  );
});

test("whatever comes, costs are positive numbers, and a worse sample shows at once", () => {
  const ms = fc.double({ min: 0, max: 400_000, noNaN: true });
  const slotAt = fc.nat(PEERS - 1);
  const event = fc.record({
    kind: fc.constantFrom("answer", "abort", "failure", "age"),
    slotAt,
    ms,
    afterMs: fc.nat(5_000),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const ledger = new Ledger({ slotsMax: PEERS });
      const speed = new Speed(ledger);
      const slots = Int32Array.from({ length: PEERS }, () => ledger.claim());
      for (const slot of slots) speed.forget(slot);
      let nowMs = 0;
      for (const { kind, slotAt, ms, afterMs } of events) {
        nowMs += afterMs;
        const slot = slots[slotAt]!;
        if (kind === "answer") {
          const before = ledger.peakMs[slot]!;
          speed.observe(slot, ms, nowMs);
          if (ms >= before) assert.ok(ledger.costMs[slot]! >= ms, "a worse answer was smoothed away");
        } else if (kind === "abort") speed.observeAtLeast(slot, ms, nowMs - ms, nowMs);
        else if (kind === "failure") {
          speed.observeFailure(slot, Math.max(ms, PENALTY_MS_MIN), nowMs);
          assert.ok(ledger.costMs[slot]! >= PENALTY_MS_MIN);
        } else speed.age(slots, PEERS, nowMs);
        for (const each of slots) {
          const cost = ledger.costMs[each]!;
          assert.ok(cost > 0 && cost <= 400_000, `slot ${each} costs ${cost}`);
        }
      }
    }),
  );
});

test("unknown endpoints cost what their peers cost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 9 }),
      (latencies) => {
        const ledger = new Ledger({ slotsMax: latencies.length + 1 });
        const speed = new Speed(ledger);
        const slots = Int32Array.from({ length: latencies.length + 1 }, () => ledger.claim());
        for (const slot of slots) speed.forget(slot);
        for (const [index, ms] of latencies.entries()) speed.observe(slots[index]!, ms, 0);
        speed.age(slots, slots.length, 0);
        const sorted = latencies.toSorted((a, b) => a - b);
        const middle = sorted[Math.floor((sorted.length - 1) / 2)]!;
        assert.equal(ledger.costMs[slots[latencies.length]!], middle);
      },
    ),
  );
});

test("the median is the middle of what is known, the lower one of two", () => {
  const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.constant(Number.NaN)), { maxLength: 20 });
  fc.assert(
    fc.property(values, (values) => {
      const slots = Int32Array.from(values.keys());
      const known = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
      const expected = known[Math.floor((known.length - 1) / 2)] ?? Number.NaN;
      const got = median(Float64Array.from(values), slots, values.length, new Float64Array(values.length));
      // -0 and 0 are one number here.
      assert.ok(got === expected || (Number.isNaN(got) && Number.isNaN(expected)), `${got}, not ${expected}`);
    }),
  );
});

/** Five peers that answer in 100 ms; `slot` is the first of them. */
function fleet(): { ledger: Ledger; speed: Speed; slot: number; slots: Int32Array } {
  const ledger = new Ledger({ slotsMax: PEERS });
  const speed = new Speed(ledger);
  const slots = Int32Array.from({ length: PEERS }, () => ledger.claim());
  for (const slot of slots) {
    speed.forget(slot);
    speed.observe(slot, USUAL_MS, 0);
  }
  speed.age(slots, PEERS, 0);
  return { ledger, speed, slot: slots[0]!, slots };
}
