import assert from "node:assert/strict";
import { test } from "node:test";

import type { Decision } from "../../../src/core/decision.ts";
import { endpointSpec } from "../../../src/core/endpoint.ts";
import { VirtualClock } from "../../../src/core/kit/clock.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Lease } from "../../../src/core/lease.ts";
import { Ledger, STATE } from "../../../src/core/ledger.ts";
import { createPolicy } from "../../../src/core/policies/create.ts";
import { Pool } from "../../../src/core/pool.ts";
import { BARE_POOL_OPTIONS, DEFAULT_POOL_OPTIONS } from "../../../src/core/pool-options.ts";
import { PENALTY_MS_MIN } from "../../../src/core/speed.ts";
import { TRIED_MAX, Work } from "../../../src/core/work.ts";
import { equals, type Fleet, makeFleet, refusal, send, work } from "../../laws/law.ts";

const QUEUED = { ...BARE_POOL_OPTIONS, queue: { requestsMax: 100, waitMs: 5_000 } };
const PASSED = { passed: true } as const;

test("a lease settles once, and may be used again for the next pick", () => {
  const { pool, ledger } = makeFleet("round_robin", 1, { specs: equals(2) });
  const lease = new Lease();
  const what = work({ units: 10 });
  for (const id of ["b0", "b1", "b0"]) {
    const decision = pool.pick(what, lease);
    assert.ok(decision.kind === "send" && decision.lease === lease);
    assert.equal(lease.endpoint!.id, id);
    assert.equal(lease.isOpen, true);
    assert.equal(ledger.pendingUnits[lease.slot], 10);
    lease.progress(4);
    assert.equal(ledger.pendingUnits[lease.slot], 6);
    lease.progress(1_000);
    assert.equal(ledger.pendingUnits[lease.slot], 0);
    assert.equal(ledger.inFlight[lease.slot], 1);
    assert.equal(lease.settle("ok"), true);
    assert.equal(lease.settle("backend_error"), false);
    assert.equal(lease.isOpen, false);
  }
  assert.deepEqual(
    [...pool.members.slots].map((slot) => ledger.successes[slot]),
    [2, 1],
  );
  assert.deepEqual(
    [...pool.members.slots].map((slot) => ledger.failures[slot]),
    [0, 0],
  );
});

test("picking with an open lease is a bug that throws", () => {
  const { pool, ledger } = makeFleet("round_robin", 1, { specs: equals(2) });
  const lease = new Lease();
  pool.pick(new Work(), lease);
  assert.throws(() => pool.pick(new Work(), lease), /before it was settled/);
  lease.settle("ok");
  assert.deepEqual(
    [...pool.members.slots].map((slot) => ledger.inFlight[slot]),
    [0, 0],
  );
});

test("the first byte is what latency is learned from, once a lease", () => {
  const { pool, clock, ledger } = makeFleet("auto", 1, { specs: equals(1) });
  const lease = send(pool);
  clock.advance(80);
  lease.started();
  clock.advance(5_000);
  lease.started();
  lease.settle("ok");
  assert.equal(lease.firstByteMs, 80);
  assert.equal(ledger.latencyMs[lease.slot], 80);
  assert.equal(ledger.samples[lease.slot], 1);
  pool.tend();
  assert.equal(pool.typicalMs, 80);
});

test("higher classes leave the queue first, each class in order", () => {
  const { pool } = makeFleet("auto", 1, { specs: equals(1, () => ({ limit: 1 })), options: QUEUED });
  const order: string[] = [];
  let running = send(pool);
  for (const [name, classIndex] of [
    ["low 1", 2],
    ["normal 1", 1],
    ["high 1", 0],
    ["low 2", 2],
    ["high 2", 0],
  ] as const) {
    const lease = new Lease();
    pool.pick(work({ classIndex }), lease, {
      decided: () => {
        order.push(name);
        running = lease;
      },
    });
  }
  for (let i = 0; i < 5; i++) running.settle("ok");
  assert.deepEqual(order, ["high 1", "high 2", "normal 1", "low 1", "low 2"]);
});

test("Retry-After follows the line and the rate at which work ends", () => {
  const { pool, clock } = makeFleet("auto", 1, { specs: equals(1, () => ({ limit: 1 })), options: QUEUED });
  for (let i = 0; i < 20; i++) {
    const lease = send(pool);
    clock.advance(500);
    lease.settle("ok");
  }
  send(pool);
  for (let i = 0; i < 19; i++) pool.pick(new Work(), new Lease(), { decided: () => {} });
  const decision = pool.pick(new Work());
  assert.ok(decision.kind === "refuse");
  // 19 wait, two end a second.
  assert.ok(decision.retryAfterMs >= 9_000 && decision.retryAfterMs <= 12_000, `${decision.retryAfterMs}`);
});

test("work whose session waits for its home does not hold up the others", () => {
  const options = { ...QUEUED, sessionWhenFull: "wait" as const };
  const { pool } = makeFleet("least_request", 1, { specs: equals(2, () => ({ limit: 1 })), options });
  const home = send(pool, work({ sessionKey: 1 }));
  const other = send(pool);
  const told: string[] = [];
  const waits = (name: string, what: Work): Lease => {
    const lease = new Lease();
    assert.equal(pool.pick(what, lease, { decided: () => told.push(name) }).kind, "wait");
    return lease;
  };
  waits("session", work({ sessionKey: 1 }));
  const plain = waits("plain", work());
  other.settle("ok");
  assert.deepEqual(told, ["plain"]);
  assert.notEqual(plain.endpoint, home.endpoint);
  home.settle("ok");
  assert.deepEqual(told, ["plain", "session"]);
});

test("a session spills when its home is full, and moves when its home is down", () => {
  const { pool } = makeFleet("least_request", 1, { specs: equals(3, () => ({ limit: 1 })) });
  const home = send(pool, work({ sessionKey: 5 }));
  assert.equal(home.why, "session");
  const spilled = send(pool, work({ sessionKey: 5 }));
  assert.notEqual(spilled.endpoint, home.endpoint);
  assert.equal(spilled.why, "policy");
  home.settle("ok");
  spilled.settle("ok");
  assert.equal(send(pool, work({ sessionKey: 5 })).endpoint, home.endpoint, "the session stayed at home");
  pool.wish(home.endpoint!.id, "drain");
  const moved = send(pool, work({ sessionKey: 5 }));
  assert.notEqual(moved.endpoint, home.endpoint);
  assert.equal(moved.why, "session", "it has a new home now");
});

test("a cookie's slot is home only as long as it is a member's that is well", () => {
  const { pool } = makeFleet("round_robin", 1, { specs: equals(3) });
  const sessionSlot = pool.members.get("b2")!.slot;
  assert.equal(send(pool, work({ sessionSlot })).endpoint!.id, "b2");
  assert.notEqual(send(pool, work({ sessionSlot, labels: null, triedCount: 0 })), null);
  pool.update(equals(2));
  for (let i = 0; i < 4; i++) assert.notEqual(send(pool, work({ sessionSlot })).endpoint!.id, "b2");
});

test("priority groups: the next serves when the one before is down, or already when it is full", () => {
  const specs = equals(4, (index) => ({ priority: index < 2 ? 0 : 1, limit: 1 }));
  const { pool } = makeFleet("least_request", 1, { specs });
  const first = [send(pool), send(pool)];
  assert.deepEqual(
    first.map(({ endpoint }) => endpoint!.spec.priority),
    [0, 0],
  );
  assert.equal(refusal(pool), "saturated", "full is not down");
  pool.configure({ ...BARE_POOL_OPTIONS, failover: "full" }, null);
  assert.equal(send(pool).endpoint!.spec.priority, 1);
  for (const lease of first) lease.settle("ok");
  pool.configure(BARE_POOL_OPTIONS, null);
  pool.wish("b0", "drain");
  assert.equal(send(pool).endpoint!.id, "b1");
  pool.wish("b1", "drain");
  assert.equal(send(pool).endpoint!.spec.priority, 1);
});

test("an ejection: back-off, a trial by replayable work, readmission by a ramp, all told", () => {
  const fleet = makeFleet("round_robin", 1, { specs: equals(3), options: DEFAULT_POOL_OPTIONS });
  const { pool, clock, ledger, events } = fleet;
  const bad = pool.members.get("b1")!;
  fail(fleet, "b1", 5);
  assert.equal(bad.health.describe().state, "ejected");
  assert.equal(bad.health.describe().reason, "consecutive failures");
  clock.advance(9_000);
  for (let i = 0; i < 6; i++) assert.notEqual(send(pool).endpoint, bad);
  clock.advance(2_100);
  pool.tend();
  assert.equal(bad.health.describe().state, "probation");
  assert.notEqual(send(pool).endpoint, bad, "work that can not be sent again is no trial, at first");
  const trial = send(pool, work({ isReplayable: true }));
  assert.equal(trial.endpoint, bad);
  assert.equal(trial.why, "trial");
  assert.notEqual(send(pool, work({ isReplayable: true })).endpoint, bad, "one at a time");
  trial.settle("ok");
  assert.equal(ledger.weight[bad.slot], 0.1);
  clock.advance(15_000);
  pool.tend();
  assert.ok(Math.abs(ledger.weight[bad.slot]! - 0.5) < 0.01);
  clock.advance(15_000);
  pool.tend();
  assert.equal(ledger.weight[bad.slot], 1);
  const told = events.filter(({ endpoint, kind }) => endpoint === "b1" && kind !== "joined");
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ["ejected", "probation", "readmitted"],
  );
  assert.match(told[0]!.evidence, /5 in a row \(backend_error\), 5 of the last 20/);
});

test("work that stands, such as a tunnel, ends a trial at once; how long it lasts costs nothing", () => {
  const fleet = makeFleet("round_robin", 1, { specs: equals(3), options: DEFAULT_POOL_OPTIONS });
  const { pool, clock, ledger } = fleet;
  const bad = pool.members.get("b1")!;
  fail(fleet, "b1", 5);
  clock.advance(11_100);
  pool.tend();
  const trial = send(pool, work({ isReplayable: true }));
  assert.equal(trial.why, "trial");
  clock.advance(40);
  trial.established();
  trial.established();
  assert.equal(trial.firstByteMs, 40);
  assert.equal(bad.health.describe().state, "up");
  assert.deepEqual([ledger.inFlight[bad.slot], ledger.successes[bad.slot]], [1, 0]);
  const latencyMs = ledger.latencyMs[bad.slot];
  clock.advance(10 * 3_600_000);
  pool.tend();
  const burden = ledger.burden[bad.slot]!;
  trial.settle("backend_error");
  trial.established();
  assert.equal(ledger.latencyMs[bad.slot], latencyMs);
  assert.equal(ledger.burden[bad.slot]! - burden, 1, "the least penalty");
  assert.ok(ledger.peakMs[bad.slot]! <= PENALTY_MS_MIN);
  assert.equal(bad.health.outlier.consecutive, 1);
});

test("work that stood and ended well is one success", () => {
  const { pool, ledger } = makeFleet("round_robin", 1, { specs: equals(1), options: DEFAULT_POOL_OPTIONS });
  const lease = send(pool);
  lease.established();
  lease.settle("ok");
  assert.deepEqual([ledger.successes[lease.slot], ledger.samples[lease.slot]], [1, 1]);
});

test("a trial that nobody volunteers for is made with any work after two seconds", () => {
  const fleet = makeFleet("round_robin", 1, { specs: equals(2), options: DEFAULT_POOL_OPTIONS });
  fail(fleet, "b0", 5);
  fleet.clock.advance(11_100);
  fleet.pool.tend();
  assert.equal(send(fleet.pool).endpoint!.id, "b1");
  fleet.clock.advance(2_000);
  assert.equal(send(fleet.pool).endpoint!.id, "b0");
});

test("not more than half are ejected, and that is told too", () => {
  const fleet = makeFleet("round_robin", 1, { specs: equals(4), options: DEFAULT_POOL_OPTIONS });
  for (const id of ["b0", "b1", "b2"]) fail(fleet, id, 5);
  const kinds = fleet.events.filter(({ kind }) => kind.startsWith("eject")).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["ejected", "ejected", "ejection_capped"]);
  assert.equal(fleet.pool.isPanic, false);
});

test("who is not listening is out at the first time, and back on trial when a probe passes", () => {
  const { pool, events } = makeFleet("round_robin", 1, { specs: equals(3), options: DEFAULT_POOL_OPTIONS });
  const what = work();
  for (const { id, slot } of pool.members.list) if (id !== "b0") what.avoid(slot);
  send(pool, what).settle("backend_error", { retryAfterMs: 0, isUnreachable: true });
  assert.equal(pool.members.get("b0")!.health.outlier.kind, "ejected");
  pool.probed("b0", PASSED);
  assert.equal(pool.members.get("b0")!.health.outlier.kind, "probation");
  assert.ok(!events.some(({ kind }) => kind === "readmitted"));
});

test("so slow that it is useless: ejected, with the figures as evidence", () => {
  const { pool, clock, events } = makeFleet("random", 1, { specs: equals(3), options: DEFAULT_POOL_OPTIONS });
  for (let i = 0; i < 3_000 && !events.some(({ kind }) => kind === "ejected"); i++) {
    const lease = send(pool);
    const isSlow = lease.endpoint!.id === "b2";
    clock.advance(isSlow ? 3_000 : 50);
    lease.settle("ok");
  }
  const ejected = events.find(({ kind }) => kind === "ejected");
  assert.equal(ejected?.endpoint, "b2");
  assert.equal(ejected.reason, "slow");
  assert.match(ejected.evidence, /times slower/);
  // It is out, not well: nothing may say that it has recovered.
  const at = events.indexOf(ejected);
  pool.tend();
  clock.advance(200);
  pool.tend();
  assert.deepEqual(
    events.slice(at + 1).map(({ kind }) => kind),
    [],
  );
});

test("probes take down and bring back, the first one alone; a ramp follows", () => {
  const { pool, events, ledger } = makeFleet("round_robin", 1, {
    specs: equals(3),
    options: DEFAULT_POOL_OPTIONS,
  });
  pool.probed("b0", { passed: false, detail: "refused" });
  pool.probed("b1", PASSED);
  for (let i = 0; i < 2; i++) pool.probed("b1", { passed: false, detail: "status 503" });
  pool.probed("nobody", PASSED);
  assert.deepEqual(pool.members.get("b0")!.health.describe(), { state: "down", reason: "refused" });
  assert.equal(pool.members.get("b1")!.health.describe().state, "up");
  pool.probed("b0", PASSED);
  pool.probed("b0", PASSED);
  assert.equal(ledger.weight[pool.members.get("b0")!.slot], 0.1);
  const told = events
    .filter(({ kind }) => kind.startsWith("probe"))
    .map(({ kind, endpoint }) => `${kind} ${endpoint}`);
  assert.deepEqual(told, ["probe_down b0", "probe_up b0"]);
});

test("an operator's limit and weight win over the configuration until they are taken back", () => {
  const { pool, ledger } = makeFleet("least_request", 1, {
    specs: equals(1, () => ({ limit: 4, weight: 2 })),
  });
  const endpoint = pool.members.get("b0")!;
  endpoint.limitOverride = 1;
  endpoint.weightOverride = 7;
  pool.changed();
  assert.equal(ledger.weight[endpoint.slot], 7);
  send(pool);
  assert.equal(refusal(pool), "saturated");
  pool.update(equals(1, () => ({ limit: 9, weight: 3 })));
  assert.equal(refusal(pool), "saturated", "a reload does not undo what an operator set");
  endpoint.limitOverride = null;
  endpoint.weightOverride = null;
  pool.changed();
  assert.equal(ledger.limit[endpoint.slot], 9);
  assert.equal(ledger.weight[endpoint.slot], 3);
});

test("an agent's share scales the weight; its drain is a drain", () => {
  const { pool, ledger, events } = makeFleet("random", 1, { specs: equals(2, () => ({ weight: 4 })) });
  pool.agentSaid("b0", "ready", 0.5);
  const { slot, health } = pool.members.get("b0")!;
  assert.equal(ledger.weight[slot], 2);
  pool.agentSaid("b0", "drain", 1);
  assert.equal(health.describe().state, "draining");
  for (let i = 0; i < 10; i++) assert.equal(send(pool).endpoint!.id, "b1");
  assert.equal(events.filter(({ kind }) => kind === "agent").length, 2);
});

test("an endpoint that is taken back, by an operator or its agent, begins by a ramp", () => {
  const options = { ...BARE_POOL_OPTIONS, slowStartMs: 10_000 };
  const { pool, ledger, clock } = makeFleet("random", 1, { specs: equals(2), options });
  const { slot } = pool.members.get("b0")!;
  for (const drain of [
    (wish: "drain" | "ready"): unknown => pool.wish("b0", wish),
    (wish: "drain" | "ready"): unknown => pool.agentSaid("b0", wish, 1),
  ]) {
    assert.equal(ledger.weight[slot], 1);
    drain("drain");
    clock.advance(60_000);
    drain("ready");
    assert.equal(ledger.weight[slot], 0.1);
    drain("ready");
    clock.advance(5_000);
    pool.tend();
    assert.equal(ledger.weight[slot], 0.5);
    clock.advance(5_000);
    pool.tend();
  }
});

test("a wish for nobody is told; the same wish twice is one event", () => {
  const { pool, events } = makeFleet("random", 1, { specs: equals(2) });
  assert.equal(pool.wish("nobody", "drain"), false);
  for (const wish of ["drain", "drain", "ready"] as const) assert.equal(pool.wish("b0", wish), true);
  const told = events.map(({ kind }) => kind).filter((kind) => kind !== "joined");
  assert.deepEqual(told, ["drained", "undrained"]);
});

test("two endpoints of one name, or more than there are slots, are refused", () => {
  const { pool } = makeFleet("random", 1, { slotsMax: 2 });
  assert.throws(() => pool.update([...equals(1), ...equals(1)]), RangeError);
  pool.update(equals(2));
  const before = pool.members.list;
  const other = endpointSpec("other:1", { id: "other" });
  assert.throws(() => pool.update([...equals(2), other]), /more than 2 endpoints/);
  assert.throws(() => pool.update([other, ...equals(2)].toReversed()), /more than 2 endpoints/);
  assert.deepEqual(pool.members.list, before, "what is refused changes nothing");
  assert.equal(send(pool).isOpen, true);
  pool.update([other, equals(1)[0]!]);
  assert.equal(pool.members.list.length, 2);
});

test("a piece of work visits a bounded number of endpoints", () => {
  const what = new Work();
  for (let i = 0; i < TRIED_MAX; i++) what.avoid(i);
  assert.throws(() => what.avoid(99), RangeError);
  what.reset();
  assert.equal(what.hasTried(0), false);
});

test("canPick asks without booking", () => {
  const { pool, ledger } = makeFleet("fill", 1, { specs: equals(1, () => ({ limit: 1 })) });
  assert.equal(pool.canPick(new Work()), true);
  assert.equal(ledger.inFlight[pool.members.slots[0]!], 0);
  const lease = send(pool);
  assert.equal(pool.canPick(new Work()), false);
  lease.settle("ok");
  assert.equal(pool.canPick(new Work()), true);
});

test("waits end when their time is over, also in the middle of other waits", () => {
  const { pool, clock } = makeFleet("auto", 1, { specs: equals(1, () => ({ limit: 1 })), options: QUEUED });
  send(pool);
  const told: [number, Decision][] = [];
  for (let i = 0; i < 3; i++) {
    clock.advance(1_000);
    pool.pick(new Work(), new Lease(), { decided: (decision) => told.push([i, decision]) });
  }
  clock.advance(4_000);
  pool.tend();
  assert.deepEqual(
    told.map(([i, decision]) => [i, decision.kind === "refuse" && decision.reason]),
    [
      [0, "queue_timeout"],
      [1, "queue_timeout"],
    ],
  );
  assert.equal(pool.queue.length, 1);
  assert.equal(pool.queue.oldestSinceMs(), 3_000);
});

/** Fails requests on one endpoint until it has had `times` of them. */
function fail({ pool }: Fleet, id: string, times: number): void {
  const what = work();
  for (const other of pool.members.list) if (other.id !== id) what.avoid(other.slot);
  for (let i = 0; i < times; i++) send(pool, what).settle("backend_error");
}

test("an endpoint on probation is tried although a stream from before its ejection still runs", () => {
  const clock = new VirtualClock();
  const ledger = new Ledger({ slotsMax: 8 });
  const random = new Random(1);
  const policy = createPolicy("round_robin", { random, slotsMax: 8 });
  const pool = new Pool({ name: "p", ledger, clock, random, policy, options: DEFAULT_POOL_OPTIONS });
  pool.update([endpointSpec("a"), endpointSpec("b")]);
  const leaseOn = (id: string): Lease => {
    for (let i = 0; i < 100; i++) {
      const decision = pool.pick(Object.assign(new Work(), { isReplayable: true }), new Lease());
      assert.equal(decision.kind, "send");
      if (decision.kind === "send" && decision.lease.endpoint!.id === id) return decision.lease;
      if (decision.kind === "send") decision.lease.settle("cancelled");
    }
    return assert.fail(`no pick of ${id}`);
  };
  leaseOn("a");
  const detail = { retryAfterMs: 0, isUnreachable: true };
  leaseOn("a").settle("backend_error", detail);
  clock.advance(20_000);
  pool.tend();
  const trial = leaseOn("a");
  assert.equal(trial.why, "trial");
  assert.equal(leaseOn("b").why, "policy", "one trial at a time");
  trial.settle("ok");
  assert.equal(ledger.state[pool.members.get("a")!.slot], STATE.available);
});

test("panic leaves failover alone: a backup that is well serves when all primaries are down", () => {
  const specs = equals(3, (index) => ({ priority: index < 2 ? 0 : 1 }));
  const fleet = makeFleet("least_request", 1, { specs, options: DEFAULT_POOL_OPTIONS });
  const { pool, events } = fleet;
  for (const id of ["b0", "b1"]) pool.probed(id, { passed: false, detail: "503" });
  assert.equal(pool.isPanic, false);
  for (let i = 0; i < 10; i++) assert.equal(send(pool).endpoint!.id, "b2");
  pool.probed("b2", { passed: false, detail: "503" });
  assert.equal(pool.isPanic, true, "now nobody is left");
  assert.ok(events.some(({ kind }) => kind === "panic_on"));
});

test("an ejection that is not allowed is told once a minute, not with every failure", () => {
  const { pool, clock, events } = makeFleet("round_robin", 1, {
    specs: equals(2),
    options: { ...DEFAULT_POOL_OPTIONS, slowdown: null },
  });
  for (let i = 0; i < 400; i++) {
    send(pool).settle("backend_error");
    clock.advance(100);
  }
  const capped = events.filter(({ kind }) => kind === "ejection_capped").length;
  assert.ok(capped >= 1 && capped <= 2, `told ${capped} times in 40 s`);
});

test("streams from before an ejection say nothing about the endpoint on probation", () => {
  const { pool, clock } = makeFleet("round_robin", 1, {
    specs: equals(2),
    options: { ...DEFAULT_POOL_OPTIONS, slowdown: null },
  });
  const sick = pool.members.get("b0")!;
  const old = Array.from({ length: 3 }, () => send(pool, work({ sessionSlot: sick.slot })));
  for (let i = 0; i < 5; i++) send(pool, work({ sessionSlot: sick.slot })).settle("backend_error");
  assert.equal(sick.health.outlier.kind, "ejected");
  clock.advance(sick.health.outlier.untilMs - clock.nowMs() + 1);
  pool.tend();
  assert.equal(sick.health.outlier.kind, "probation");
  old[0]!.settle("ok");
  assert.equal(sick.health.outlier.kind, "probation", "an old success readmits nobody");
  old[1]!.settle("backend_error");
  assert.equal(sick.health.outlier.kind, "probation", "an old failure ejects nobody");
  send(pool, work({ isReplayable: true })).settle("ok");
  assert.equal(sick.health.outlier.kind, "admitted");
});

for (const policy of ["round_robin", "random", "fill", "auto"]) {
  test(`${policy}: who asked to be left alone is, as long as there is another`, () => {
    const { pool, clock } = makeFleet(policy, 1, { specs: equals(2) });
    const tired = pool.members.get("b0")!;
    const detail = { retryAfterMs: 30_000, isUnreachable: false };
    send(pool, work({ sessionSlot: tired.slot })).settle("backend_overload", detail);
    for (let i = 0; i < 20; i++) {
      const lease = send(pool);
      assert.equal(lease.endpoint!.id, "b1");
      lease.settle("ok");
    }
    pool.wish("b1", "drain");
    send(pool).settle("ok");
    pool.wish("b1", "ready");
    clock.advance(30_001);
    const ids = new Set(Array.from({ length: 30 }, () => send(pool).endpoint!.id));
    assert.ok(ids.has("b0"), "its time is over");
  });
}

test("Retry-After is honest where work takes longer than its window", () => {
  const options = { ...BARE_POOL_OPTIONS, queue: { requestsMax: 100, waitMs: 3_600_000 } };
  const { pool, clock } = makeFleet("least_request", 1, {
    specs: equals(1, () => ({ limit: 1 })),
    options,
  });
  const waiter = { decided: (): void => {} };
  send(pool);
  for (let i = 0; i < 100; i++) assert.equal(pool.pick(new Work(), new Lease(), waiter).kind, "wait");
  clock.advance(30_000);
  const decision = pool.pick(new Work(), new Lease(), waiter);
  assert.ok(decision.kind === "refuse" && decision.reason === "queue_full");
  assert.equal(decision.retryAfterMs, 300_000, "30 s each, 100 of them: as long as may be asked for");
});
