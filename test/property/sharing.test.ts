// What data threads share, each part alone and in one thread; test/threads has it with real ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Witness } from "../../src/core/desk-setup.ts";
import { Forecast } from "../../src/core/forecast.ts";
import type { LeaseFacts, Outcome, OutcomeDetail, PickReason } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { OwnedLock } from "../../src/core/sharing/owned-lock.ts";
import { ReportReader, ReportWriter } from "../../src/core/sharing/report-ring.ts";
import type { Vitals } from "../../src/core/vitals.ts";

const THREADS = 4;
const SLOTS = 3;

test("totals are sums over threads, and a thread that is forgotten leaves nothing", () => {
  const step = fc.record({
    do: fc.constantFrom("book", "book", "unbook", "workOff", "forget", "try"),
    thread: fc.nat(THREADS - 1),
    slot: fc.nat(SLOTS - 1),
    units: fc.integer({ min: 1, max: 1_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 200 }), (steps) => {
      const main = new Ledger({ slotsMax: SLOTS, shared: true, threads: THREADS });
      const slots = Int32Array.from({ length: SLOTS }, () => main.claim());
      const views = Array.from({ length: THREADS }, (_, thread) => Ledger.open(main.storage, thread));
      /** By thread: what it has in flight. */
      const open = views.map((): { slot: number; units: number }[] => []);
      const picks = Array.from({ length: SLOTS }, () => 0);
      for (const { do: what, thread, slot, units } of steps) {
        const own = open[thread]!;
        const view = views[thread]!;
        if (what === "book") {
          view.book(slot, units);
          own.push({ slot, units });
          picks[slot]! += 1;
        } else if (what === "forget") {
          assert.equal(main.forgetThread(thread), own.length);
          assert.ok(!main.trial.includes(thread + 1));
          own.length = 0;
        } else if (what === "try") Atomics.compareExchange(view.trial, slot, 0, thread + 1);
        else if (own.length > 0 && what === "unbook") {
          const lease = own.shift()!;
          assert.equal(view.unbook(lease.slot, main.generation[lease.slot]!, lease.units), true);
        } else if (own.length > 0) {
          const done = Math.min(units, own[0]!.units);
          view.workOff(own[0]!.slot, main.generation[own[0]!.slot]!, done);
          own[0]!.units -= done;
        }
        const all = open.flat();
        for (const reader of [main, views[0]!, views[THREADS - 1]!]) {
          reader.refresh(slots);
          for (const at of slots) {
            const here = all.filter((lease) => lease.slot === at);
            assert.equal(reader.inFlight[at], here.length);
            assert.equal(
              reader.pendingUnits[at],
              here.reduce((sum, lease) => sum + lease.units, 0),
            );
            assert.equal(reader.picks[at], picks[at]);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("a slot is given away only when all know that its endpoint has left, and its last request has ended", () => {
  const main = new Ledger({ slotsMax: 2, shared: true, threads: 3 });
  const other = Ledger.open(main.storage, 2);
  const slot = main.claim();
  const generation = main.generation[slot]!;
  other.book(slot, 1);
  main.retire(slot);
  const second = main.claim();
  assert.notEqual(second, slot);
  // The last request ends, but a thread may book there still.
  other.unbook(slot, generation, 1);
  assert.throws(() => main.claim(), RangeError);
  other.book(slot, 1);
  main.allKnowWhoLeft();
  assert.throws(() => main.claim(), RangeError, "a request runs there");
  assert.equal(main.revive(slot, generation), true, "it may come back with its counts");
  main.retire(slot);
  main.allKnowWhoLeft();
  // The thread with the request dies.
  assert.equal(main.forgetThread(2), 1);
  assert.equal(main.claim(), slot);
  assert.equal(main.generation[slot], generation + 1);
  assert.equal(other.unbook(slot, generation, 1), false, "a late end is dropped");
  assert.equal(other.lateSettles, 1);
});

test("a lock has one owner; only a dead owner's is opened by others", () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const locks = [1, 2, 3].map((owner) => new OwnedLock(words, 1, owner, 3));
  const [first, second, third] = locks as [OwnedLock, OwnedLock, OwnedLock];
  assert.equal(first.acquire(), true);
  assert.equal(second.acquire(), false, "after some milliseconds");
  third.releaseOf(2);
  assert.equal(second.acquire(), false, "not its owner's lock");
  third.releaseOf(1);
  assert.equal(second.acquire(), true);
  first.releaseOf(1);
  assert.equal(third.acquire(), false);
  second.release();
  assert.equal(words[1], 0);
  assert.equal(third.acquire(), true);
  third.release();
  third.releaseOf(3);
  assert.deepEqual([...words], [0, 0]);
});

const RECORDS_MAX = 8_192;

test("reports come in order and whole, over the end of the ring and of its numbers", () => {
  const bursts = fc.array(fc.integer({ min: 0, max: RECORDS_MAX }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(bursts, fc.constantFrom(0, 0x7fff_ff00 | 0, -5), (sizes, from) => {
      const ledger = new Ledger({ slotsMax: 1 });
      const reader = new ReportReader();
      new Int32Array(reader.memory, 0, 2).fill(from);
      const writer = new ReportWriter(reader.memory, ledger, 1);
      const told = new Told();
      let written = 0;
      for (const size of sizes) {
        for (let i = 0; i < size; i++) tell(writer, written++);
        assert.equal(
          reader.drain(() => told),
          size,
        );
      }
      assert.equal(writer.dropped, 0);
      assert.equal(told.numbers.length, written);
      assert.ok(told.numbers.every((number, i) => number === i));
    }),
    { numRuns: 20 },
  );
});

test("a full ring drops and counts; a trial whose end nobody hears is free again, another's is not", () => {
  const ledger = new Ledger({ slotsMax: 2 });
  const [own, others] = [ledger.claim(), ledger.claim()];
  ledger.trial[own] = 2;
  ledger.trial[others] = 3;
  const reader = new ReportReader();
  const writer = new ReportWriter(reader.memory, ledger, 1);
  for (let i = 0; i < RECORDS_MAX; i++) tell(writer, i);
  assert.equal(writer.dropped, 0);
  for (const slot of [own, others]) {
    writer.settled({ ...FACTS, slot, generation: ledger.generation[slot]!, why: "trial" }, "ok", DETAIL, 1);
  }
  writer.settled({ ...FACTS, slot: own, generation: 99, why: "trial" }, "ok", DETAIL, 1);
  assert.equal(writer.dropped, 3);
  assert.deepEqual([ledger.trial[own], ledger.trial[others]], [0, 3]);
  const told = new Told();
  assert.equal(
    reader.drain(() => told),
    RECORDS_MAX,
  );
  tell(writer, RECORDS_MAX);
  assert.equal(
    reader.drain(() => told),
    1,
  );
  assert.equal(told.numbers.at(-1), RECORDS_MAX);
});

test("a reader is called for failures and trials, once until it has come", () => {
  const reader = new ReportReader();
  let calls = 0;
  const writer = new ReportWriter(reader.memory, new Ledger({ slotsMax: 1 }), 1, () => calls++);
  const settle = (outcome: Outcome, why: PickReason = "policy"): void =>
    writer.settled({ ...FACTS, why }, outcome, DETAIL, 1);
  const drain = (): number => reader.drain(() => undefined);
  settle("ok");
  assert.equal(calls, 0);
  settle("backend_error");
  settle("timeout");
  settle("ok", "trial");
  assert.equal(calls, 1);
  assert.equal(drain(), 4);
  settle("ok", "trial");
  assert.equal(calls, 2);
  drain();
  settle("ok");
  drain();
  settle("backend_overload");
  assert.equal(calls, 3);
});

test("a report says all that is known of a lease; whoever is not found is passed over", () => {
  const reader = new ReportReader();
  const writer = new ReportWriter(reader.memory, new Ledger({ slotsMax: 1 }), 1);
  const forecast = new Forecast();
  for (const [i, name] of Object.keys(forecast).entries()) forecast[name as keyof FilledIn] = i + 1;
  // One bit each; and what only the thread that gives the work wants to know.
  Object.assign(forecast, { isStream: 1, isSibling: 1, heldTokens: 0, prefillMs: 0 });
  Object.assign(forecast, { expectedTokens: 0, nextSlot: -1, nextCost: 0, firstSignMs: 0, isGuess: 0 });
  const facts = {
    ...FACTS,
    isPrompt: true,
    forecast,
    slot: 7,
    generation: 3,
    scale: 5,
    bookedAtMs: 10.5,
    firstByteMs: 2,
    why: "trial",
  };
  const detail: OutcomeDetail = { retryAfterMs: 250, isUnreachable: true, cause: "" };
  writer.settled(facts as LeaseFacts, "timeout", detail, 20.25);
  writer.established({ ...FACTS, isEstablished: true, why: "session" }, 21);
  const told = new Told();
  reader.drain(({ slot }) => (slot === 7 ? told : undefined));
  assert.deepEqual(told.last, [{ ...facts }, "timeout", detail, 20.25]);
  assert.deepEqual(told.numbers, [10.5]);
  writer.settled({ ...FACTS, slot: 7 }, "ok", DETAIL, 30);
  reader.drain(() => told);
  assert.deepEqual((told.last[0] as LeaseFacts).forecast, new Forecast(), "the next one's is its own");
});

type FilledIn = Omit<Forecast, "reset">;

const FACTS: LeaseFacts = {
  slot: 0,
  generation: 1,
  scale: 1,
  isPrompt: false,
  forecast: new Forecast(),
  bookedAtMs: 0,
  firstByteMs: -1,
  isEstablished: false,
  why: "policy",
};
const DETAIL: OutcomeDetail = { retryAfterMs: 0, isUnreachable: false };

/** One of the kinds of report, known by `bookedAtMs`. */
function tell(writer: ReportWriter, number: number): void {
  const facts = { ...FACTS, bookedAtMs: number };
  if (number % 4 === 0) writer.started(facts, number);
  else if (number % 4 === 1) writer.established(facts, number);
  else if (number % 4 === 2) writer.reported(facts, vitalsOf(number), number);
  else writer.settled(facts, "ok", DETAIL, number);
}

function vitalsOf(number: number): Vitals {
  return { cpu: number, memory: Number.NaN, gpu: number / 3, queued: -number };
}

class Told implements Witness {
  readonly numbers: number[] = [];
  last: unknown[] = [];

  started({ bookedAtMs }: LeaseFacts): void {
    this.numbers.push(bookedAtMs);
  }

  established({ bookedAtMs }: LeaseFacts): void {
    this.numbers.push(bookedAtMs);
  }

  reported({ slot, generation }: LeaseFacts, vitals: Vitals, nowMs: number): void {
    assert.deepEqual([slot, generation, vitals], [FACTS.slot, FACTS.generation, vitalsOf(nowMs)]);
    this.numbers.push(nowMs);
  }

  settled(facts: LeaseFacts, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    this.numbers.push(facts.bookedAtMs);
    const forecast = Object.assign(new Forecast(), facts.forecast);
    this.last = [{ ...facts, forecast }, outcome, { ...detail }, nowMs];
  }
}
