// Two processes in one: the one that has been succeeded asks, the successor decides; messages come late.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Decision } from "../../src/core/decision.ts";
import { endpointSpec } from "../../src/core/endpoint.ts";
import { GuestLine } from "../../src/core/handover/guest-line.ts";
import { Host } from "../../src/core/handover/host.ts";
import { recall, remember } from "../../src/core/handover/memory.ts";
import type { GuestMessage, HostMessage } from "../../src/core/handover/messages.ts";
import { VirtualClock } from "../../src/core/kit/clock.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease, NO_DETAIL } from "../../src/core/lease.ts";
import { Ledger, STATE } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { BARE_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { Work } from "../../src/core/work.ts";

const STEPS = [
  "ask",
  "ask",
  "ask",
  "askNext",
  "askNext",
  "settle",
  "settle",
  "settle",
  "leave",
  "toHost",
  "toHost",
  "toHost",
  "toGuest",
  "toGuest",
  "toGuest",
] as const;
const LIMITS = [1, 2, 1];

const steps = fc.array(fc.record({ turn: fc.nat(STEPS.length - 1), which: fc.nat(50) }), {
  minLength: 20,
  maxLength: 150,
});
const times = fc.record({
  begin: fc.nat(60),
  end: fc.nat(200),
  dies: fc.constantFrom("host", "guest", "none"),
});

test("limits hold in the sum of both, nobody is told twice, nobody is forgotten, whoever dies", () => {
  fc.assert(
    fc.property(steps, times, (list, { begin, end, dies }) => {
      const scene = new Handover();
      list.forEach(({ turn, which }, i) => {
        if (i === begin) scene.begin();
        if (i === end && dies === "host") scene.hostDies();
        if (i === end && dies === "guest") scene.guestDies();
        const what = STEPS[turn]!;
        if (what === "ask") scene.ask();
        else if (what === "askNext") scene.askNext();
        else if (what === "settle") scene.settle(which);
        else if (what === "leave") scene.leave(which);
        else if (what === "toHost") scene.toHost();
        else scene.toGuest();
      });
      scene.end();
    }),
    { numRuns: 500 },
  );
});

test("who waited in the old process goes first, in the order he had there", () => {
  const scene = new Handover([1]);
  scene.ask();
  const waiting = [scene.ask("low"), scene.ask(), scene.ask(), scene.ask("high")];
  scene.begin();
  scene.toHostAll();
  const newcomer = scene.askNext();
  const order = [waiting[3]!, waiting[1]!, waiting[2]!, newcomer, waiting[0]!];
  for (const piece of order) {
    scene.settle(0);
    scene.deliverAll();
    assert.ok(scene.running.includes(piece));
    assert.equal(scene.running.length, 1);
  }
  scene.end();
});

test("nothing is granted before all threads have told what they have", () => {
  const pool = makePool(new VirtualClock(), [1]);
  const said: HostMessage[] = [];
  const host = new Host(
    () => pool,
    (message) => void said.push(message),
  );
  const work = { key: -1, sessionKey: -1, sessionId: null, units: 1, classIndex: 1, isReplayable: true };
  const ask = (ticket: number, rank: number): GuestMessage => {
    return { kind: "ask", ticket, pool: "default", rank, work: { ...work, labels: null, tried: [] } };
  };
  // Of two threads: the first one asks before it is known that the second one has the only place.
  host.hear({ kind: "claims", thread: 1, claims: [] });
  for (const message of [ask(65, 7), ask(129, 0), ask(66, 3)]) host.hear(message);
  host.hear({ kind: "claims", thread: 2, claims: [{ pool: "default", id: "e0", requests: 1, units: 1 }] });
  assert.deepEqual(said, []);
  host.open();
  assert.deepEqual(said, []);
  assert.equal(pool.waitingCount, 3);
  for (const ticket of [66, 65]) {
    if (ticket === 66) host.hear({ kind: "ended", thread: 2, pool: "default", id: "e0" });
    else host.hear({ kind: "settled", ticket: 66, outcome: "ok", detail: NO_DETAIL });
    assert.deepEqual(said.splice(0), [{ kind: "granted", ticket, id: "e0", why: "policy" }]);
  }
  // A thread that dies leaves nothing behind, and others their places.
  host.hear({ kind: "died", thread: 1 });
  assert.equal(host.count, 0);
  assert.equal(pool.waitingCount, 0);
  assert.ok(pool.ledger.inFlight.every((count) => count === 0));
});

test("a pool that the successor does not have is the old one's own", () => {
  const scene = new Handover([1]);
  scene.hasPool = false;
  scene.begin();
  scene.deliverAll();
  scene.ask();
  scene.deliverAll();
  scene.ask();
  scene.deliverAll();
  assert.equal(scene.running.length, 1);
  scene.end();
});

test("an endpoint that the old one does not know is not given to it", () => {
  const scene = new Handover([1]);
  scene.next.update([...specsOf([1]), endpointSpec("new")]);
  scene.begin();
  scene.deliverAll();
  for (let i = 0; i < 3; i++) scene.ask();
  scene.deliverAll();
  assert.deepEqual(
    scene.running.map(({ lease }) => lease.endpoint?.id),
    ["e0"],
  );
  scene.end();
});

test("whoever waits for the successor's answer is refused when his time is up", () => {
  const scene = new Handover([1]);
  scene.begin();
  scene.deliverAll();
  const piece = scene.ask();
  scene.clock.advance(WAIT_MS);
  scene.old.tend();
  assert.equal(piece.decision?.kind === "refuse" && piece.decision.reason, "queue_timeout");
  scene.deliverAll();
  assert.equal(scene.running.length, 0);
  scene.end();
});

test("what was known of endpoints is known to the successor", () => {
  const scene = new Handover([1, 1, 1]);
  const [drained, down, ejected] = scene.old.members.list;
  scene.old.wish(drained!.id, "drain");
  scene.old.probed(down!.id, { passed: false, detail: "no" });
  ejected!.health.outlier.eject("unreachable", scene.clock.nowMs());
  scene.old.ledger.latencyMs[down!.slot] = 7;
  scene.old.ledger.steadyMs[down!.slot] = 8;
  scene.old.changed();
  const memories = structuredClone(remember(scene.old, scene.clock.nowMs()));
  recall(scene.next, memories, { hasProbes: true, hasAgents: false }, scene.clock.nowMs());
  const { state, latencyMs, steadyMs } = scene.next.ledger;
  const slots = scene.next.members.list.map(({ slot }) => slot);
  assert.deepEqual(
    slots.map((slot) => state[slot]),
    [STATE.draining, STATE.down, STATE.ejected],
  );
  assert.deepEqual([latencyMs[slots[1]!], steadyMs[slots[1]!]], [7, 8]);
  recall(scene.next, memories, { hasProbes: false, hasAgents: false }, scene.clock.nowMs());
});

const WAIT_MS = 60_000;

interface Piece {
  readonly pool: Pool;
  readonly lease: Lease;
  decision: Decision | null;
}

class Handover {
  readonly clock: VirtualClock = new VirtualClock();
  readonly old: Pool;
  readonly next: Pool;
  running: Piece[] = [];
  hasPool = true;
  #waiting: Piece[] = [];
  readonly #limits: readonly number[];
  readonly #toHost: (GuestMessage | "open")[] = [];
  readonly #toGuest: HostMessage[] = [];
  readonly #line: GuestLine = new GuestLine(3, (message) => void this.#toHost.push(structuredClone(message)));
  #host: Host | null = null;
  #isOpen = false;
  #isHostDead = false;
  #isGuestDead = false;

  constructor(limits: readonly number[] = LIMITS) {
    this.#limits = limits;
    this.old = makePool(this.clock, limits);
    this.next = makePool(this.clock, limits);
  }

  begin(): void {
    const poolOf = (): Pool | undefined => (this.hasPool ? this.next : undefined);
    this.#host = new Host(poolOf, (message) => void this.#toGuest.push(structuredClone(message)));
    this.#line.begin([this.old]);
    this.#toHost.push("open");
  }

  ask(workClass: "high" | "normal" | "low" = "normal"): Piece {
    return this.#ask(this.old, workClass);
  }

  /** Not before everything is known to it. */
  askNext(): Piece {
    return this.#ask(this.#isOpen && !this.#isHostDead ? this.next : this.old, "normal");
  }

  settle(which: number): void {
    const [piece] = this.running.splice(which % Math.max(1, this.running.length), 1);
    if (piece !== undefined) assert.equal(piece.lease.settle("ok"), true);
  }

  leave(which: number): void {
    const [piece] = this.#waiting.splice(which % Math.max(1, this.#waiting.length), 1);
    if (piece !== undefined) assert.equal(piece.pool.leaveQueue(piece.lease), true);
  }

  toHost(): void {
    const message = this.#toHost.shift();
    if (message === undefined || this.#isHostDead) return;
    if (message !== "open") return this.#host?.hear(message);
    this.#host?.open();
    this.#isOpen = true;
  }

  toGuest(): void {
    const message = this.#toGuest.shift();
    if (message !== undefined && !this.#isGuestDead) this.#line.hear(message);
  }

  toHostAll(): void {
    while (this.#toHost.length > 0) this.toHost();
  }

  deliverAll(): void {
    while (this.#toHost.length + this.#toGuest.length > 0) {
      this.toHost();
      this.toGuest();
    }
  }

  hostDies(): void {
    if (this.#host === null || this.#isGuestDead) return;
    this.#isHostDead = true;
    this.#forget(this.next);
    this.#toHost.length = 0;
    this.#toGuest.length = 0;
    this.#line.end([this.old]);
  }

  guestDies(): void {
    // What it had said arrives still.
    if (this.#host === null || this.#isHostDead) return;
    this.#isGuestDead = true;
    this.#forget(this.old);
    this.toHostAll();
    this.#host.close();
    this.#isOpen = true;
  }

  end(): void {
    for (let rounds = 0; rounds < 1_000; rounds++) {
      this.deliverAll();
      if (this.running.length === 0) break;
      this.settle(0);
    }
    assert.equal(this.#waiting.length, 0, "somebody waits for ever");
    for (const pool of [this.old, this.next]) {
      // What a dead process has in its books is of no interest.
      if (pool === this.old ? this.#isGuestDead : this.#isHostDead) continue;
      assert.ok(pool.ledger.inFlight.every((count) => count === 0));
      assert.ok(pool.ledger.pendingUnits.every((count) => count === 0));
      assert.equal(pool.waitingCount, 0);
    }
    if (!this.#isHostDead && this.#host !== null) assert.equal(this.#host.count, 0);
  }

  #ask(pool: Pool, workClass: "high" | "normal" | "low"): Piece {
    const piece: Piece = { pool, lease: new Lease(), decision: null };
    if (pool === this.old && this.#isGuestDead) return piece;
    const work = new Work();
    work.classIndex = { high: 0, normal: 1, low: 2 }[workClass];
    const decided = (decision: Decision): void => {
      assert.equal(piece.decision, null, "told twice");
      piece.decision = decision;
      this.#waiting = this.#waiting.filter((it) => it !== piece);
      if (decision.kind !== "send") return;
      this.running.push(piece);
      this.#checkLimits();
    };
    const decision = pool.pick(work, piece.lease, { decided });
    if (decision.kind === "wait") this.#waiting.push(piece);
    else decided(decision);
    return piece;
  }

  /** By what runs, as a backend would see it. */
  #checkLimits(): void {
    for (const [i, limit] of this.#limits.entries()) {
      const running = this.running.filter(({ lease }) => lease.endpoint?.id === `e${i}`);
      assert.ok(running.length <= limit, `${running.length} run on e${i}, which takes ${limit}`);
    }
  }

  #forget(pool: Pool): void {
    this.running = this.running.filter((piece) => piece.pool !== pool);
    this.#waiting = this.#waiting.filter((piece) => piece.pool !== pool);
  }
}

function makePool(clock: VirtualClock, limits: readonly number[]): Pool {
  const ledger = new Ledger({ slotsMax: 8 });
  const random = new Random(1);
  const options: PoolOptions = { ...BARE_POOL_OPTIONS, queue: { requestsMax: 1_000, waitMs: WAIT_MS } };
  const policy = createPolicy("least_request", { random, slotsMax: 8 });
  const pool = new Pool({
    name: "default",
    ledger,
    clock,
    random,
    policy,
    options: { ...options, outlier: LENIENT },
  });
  pool.update(specsOf(limits));
  return pool;
}

const LENIENT = {
  consecutive: 32,
  failures: 32,
  of: 32,
  ejectionMs: 10_000,
  ejectionMsMax: 10_000,
  ejectedShareMax: 0,
  panicShare: 0,
};

function specsOf(limits: readonly number[]): ReturnType<typeof endpointSpec>[] {
  return limits.map((limit, i) => endpointSpec(`e${i}`, { limit }));
}
