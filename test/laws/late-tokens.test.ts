// Law: a prompt whose first token is late moves only to where it is expected to be clearly sooner; asking
// books nothing; and an endpoint that has fallen silent is left alone until it speaks again.
import assert from "node:assert/strict";
import { test } from "node:test";

import { firstTokenDeadlineMs, nextLookMs } from "../../src/core/inference/first-token-deadline.ts";
import { Forecast } from "../../src/core/forecast.ts";
import type { Lease } from "../../src/core/lease.ts";
import { Prompt } from "../../src/core/prompt.ts";
import type { Work } from "../../src/core/work.ts";
import { equals, type Fleet, makeFleet, send, work } from "./law.ts";

const SEED = 20_261_125;
/** A unit takes 1 ms: 1,000 tokens some 1.2 s. */
const TOKENS = 1_000;

test("the first token is late after twice the forecast and 2 s; without one after 30 s more, or never", () => {
  const forecast = new Forecast();
  forecast.firstSignMs = 1_500;
  assert.equal(firstTokenDeadlineMs(forecast), 5_000);
  forecast.isGuess = 1;
  assert.equal(firstTokenDeadlineMs(forecast), 33_000);
  forecast.firstSignMs = Number.POSITIVE_INFINITY;
  assert.equal(firstTokenDeadlineMs(forecast), Number.POSITIVE_INFINITY);
  assert.deepEqual(
    [1, 2, 11, 12].map((looks) => nextLookMs(100, looks)),
    [150, 150, 150, Infinity],
  );
});

test("it is sooner elsewhere only once it is overdue, and nothing was heard", () => {
  const { fleet, late, what } = withOneLate();
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), false, "it is not even due");
  fleet.clock.advance(2_000);
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), false, "little overdue: anew it would take longer");
  fleet.clock.advance(2_000);
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), true);
});

test("it stays where others have more to do", () => {
  const { fleet, late, what } = withOneLate();
  fleet.clock.advance(4_000);
  const others = fleet.pool.members.list.filter(({ slot }) => slot !== late.slot);
  const leases = others.map(() => send(fleet.pool, promptOf(20_000)));
  assert.ok(leases.every(({ slot }) => slot !== late.slot));
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), false);
});

test("it stays where its endpoint begins answers to others: its turn will come", () => {
  const { fleet, late, what } = withOneLate();
  const other = sendTo(fleet, late.endpoint!.id);
  fleet.clock.advance(3_900);
  other.started();
  fleet.clock.advance(100);
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), false);
  // And moves when that was long ago.
  fleet.clock.advance(4_000);
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), true);
});

test("asking books nothing, and the present endpoint is not taken for tried", () => {
  const { fleet, late, what } = withOneLate();
  fleet.clock.advance(10_000);
  const { inFlight, pendingUnits } = fleet.ledger;
  const before = [[...inFlight], [...pendingUnits]];
  assert.equal(fleet.pool.isSoonerElsewhere(what, late), true);
  assert.deepEqual([[...inFlight], [...pendingUnits]], before);
  assert.deepEqual([what.triedCount, late.isOpen], [0, true]);
});

test("it goes where it is sooner, not where its session is at home or a trial is due", () => {
  const { fleet, late, what } = withOneLate();
  fleet.clock.advance(4_000);
  const [other, tried] = fleet.pool.members.list.filter(({ slot }) => slot !== late.slot);
  fleet.ledger.exploreAtMs[tried!.slot] = 0;
  // Whoever has much to do is nobody's choice but a trial's.
  fleet.ledger.book(tried!.slot, 50_000);
  what.isReplayable = true;
  what.sessionKey = 7;
  what.avoid(late.slot);
  late.settle("late");
  what.isMoving = true;
  const lease = send(fleet.pool, what);
  assert.deepEqual([lease.slot, lease.why], [other!.slot, "policy"]);
});

test("one that is silent is left alone for longer each time, until it begins an answer", () => {
  const { fleet, late } = withOneLate();
  const { slot } = late;
  const { ledger, clock } = fleet;
  clock.advance(4_000);
  late.settle("late");
  assert.deepEqual([ledger.failures[slot], ledger.aborts[slot]], [0, 0]);
  const restMs = (): number => ledger.restUntilMs[slot]! - clock.nowMs();
  assert.equal(restMs(), 16_000);
  for (let i = 0; i < 10; i++) assert.notEqual(send(fleet.pool, promptOf(10)).slot, slot);
  clock.advance(20_000);
  const again = sendTo(fleet, late.endpoint!.id);
  const last = sendTo(fleet, late.endpoint!.id);
  clock.advance(4_000);
  again.settle("late");
  assert.equal(restMs(), 4 * 28_000);
  last.started();
  assert.ok(restMs() <= 0);
});

/** Three endpoints that compute a unit in 1 ms, and a prompt that waits at one of them. */
function withOneLate(): { readonly fleet: Fleet; readonly late: Lease; readonly what: Work } {
  const fleet = makeFleet("inference", SEED, { specs: equals(3, (i) => ({ labels: { id: `b${i}` } })) });
  for (let round = 0; round < 20; round++) {
    for (const { id } of fleet.pool.members.list) {
      const lease = sendTo(fleet, id);
      fleet.clock.advance(lease.forecast.aheadUnits + 150);
      lease.started();
      lease.settle("ok");
    }
  }
  fleet.clock.advance(60_000);
  fleet.pool.tend();
  const what = promptOf(TOKENS);
  return { fleet, late: send(fleet.pool, what), what };
}

function sendTo({ pool }: Fleet, id: string): Lease {
  return send(pool, Object.assign(promptOf(TOKENS), { labels: { id } }));
}

function promptOf(tokens: number): Work {
  const prompt = new Prompt();
  prompt.tokens = tokens;
  return work({ prompt });
}
