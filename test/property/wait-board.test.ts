// Desks of several "threads" in one, on one board: bells ring late and in any order, threads die.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { OUTLIER_OFF } from "../../src/core/caretaker.ts";
import { Desk } from "../../src/core/desk.ts";
import { Endpoint, endpointSpec } from "../../src/core/endpoint.ts";
import { EndpointHealth } from "../../src/core/health/endpoint-health.ts";
import { Outlier } from "../../src/core/health/outlier.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease } from "../../src/core/lease.ts";
import { Ledger, STATE } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { Roster } from "../../src/core/roster.ts";
import { Doorbells } from "../../src/core/sharing/doorbells.ts";
import { WaitBoard } from "../../src/core/sharing/wait-board.ts";
import { Work, WORK_CLASSES } from "../../src/core/work.ts";

/** Calm: places become free as often as they are asked for, queues are often empty. Busy: they are long. */
const STEPS = {
  calm: [
    "ask",
    "ask",
    "ask",
    "ask",
    "settle",
    "settle",
    "settle",
    "settle",
    "ring",
    "leave",
    "die",
    "change",
  ],
  busy: ["ask", "ask", "ask", "ask", "settle", "settle", "settle", "ring", "ring", "ring", "leave", "change"],
} as const;
const THREADS = 3;
const ENDPOINTS = 3;

test("order holds over threads, whoever is bound holds up nobody, and no call is lost", () => {
  const step = fc.record({
    turn: fc.nat(STEPS.calm.length * STEPS.busy.length - 1),
    thread: fc.integer({ min: 1, max: THREADS }),
    classIndex: fc.nat(WORK_CLASSES.length - 1),
    /** The endpoint that the work's session is at home on; beyond the last: anywhere. */
    home: fc.nat(2 * ENDPOINTS),
    which: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { minLength: 60, maxLength: 200 }), (isBusy, steps) => {
      const room = new Room();
      const list = isBusy ? STEPS.busy : STEPS.calm;
      for (const { turn, thread, classIndex, home, which } of steps) {
        const what = list[turn % list.length];
        if (what === "ask") room.ask(thread, classIndex, home < ENDPOINTS ? home : -1);
        else if (what === "settle") room.settle(which);
        else if (what === "leave") room.leave(which);
        else if (what === "die") {
          if (which % 5 === 0) room.die(thread);
        } else if (what === "change") room.change();
        else room.ring(which);
        // No tick of a clock helps: calls alone must do.
        if (which % 4 === 0) room.ringAll();
      }
      room.end();
    }),
    { numRuns: 300 },
  );
});

test("room that is made while somebody comes to wait is not missed", () => {
  const room = new Room();
  for (let i = 0; i < ENDPOINTS; i++) room.ask(1, 1, -1);
  // Between his choice and his being seen; he can not be called by whoever makes the room.
  room.whileComing = (): void => room.raiseLimits();
  assert.equal(room.ask(2, 1, -1), "wait");
  room.ringAll();
  assert.equal(room.waitingCount, 0);
});

test("a full queue is full for all threads together", () => {
  const room = new Room(4);
  for (let i = 0; i < ENDPOINTS; i++) room.ask(1, 1, -1);
  for (let i = 0; i < 4; i++) assert.equal(room.ask(1 + (i % THREADS), 1, -1), "wait");
  for (let thread = 1; thread <= THREADS; thread++) assert.equal(room.ask(thread, 0, -1), "refuse");
  room.settle(0);
  room.ringAll();
  assert.equal(room.ask(2, 1, -1), "wait");
  room.end();
});

interface Piece {
  readonly thread: number;
  readonly classIndex: number;
  /** Slot, or -1. */
  readonly home: number;
  readonly lease: Lease;
  readonly place: number;
}

/** Every endpoint takes one request. */
class Room {
  readonly #ledger: Ledger = new Ledger({ slotsMax: 8, shared: true, threads: THREADS + 1 });
  readonly #bells: LateBells = new LateBells(Doorbells.memory(THREADS + 1));
  readonly #memory = WaitBoard.memory(THREADS + 1);
  readonly #board: WaitBoard = new WaitBoard(this.#memory, 0, this.#bells);
  readonly #slots: Int32Array;
  readonly #queueMax: number;
  readonly #desks: Desk[] = [];
  #waiting: Piece[] = [];
  #running: Piece[] = [];
  #places = 0;
  /** Happens in the middle of a newcomer's admission. */
  whileComing: () => void = () => {};

  constructor(queueMax = 1_000) {
    this.#queueMax = queueMax;
    this.#slots = Int32Array.from({ length: ENDPOINTS }, () => this.#ledger.claim());
    for (const slot of this.#slots) {
      this.#ledger.state[slot] = STATE.available;
      this.#ledger.limit[slot] = 1;
    }
    this.#board.noteScarcity(true);
    for (let thread = 1; thread <= THREADS; thread++) this.#desks[thread] = this.#open(thread);
  }

  ask(thread: number, classIndex: number, home: number): "send" | "wait" | "refuse" {
    const work = new Work();
    work.classIndex = classIndex;
    work.sessionSlot = home < 0 ? -1 : this.#slots[home]!;
    const lease = new Lease();
    const piece: Piece = { thread, classIndex, home: work.sessionSlot, lease, place: ++this.#places };
    const decision = this.#desks[thread]!.pick(work, lease, { decided: () => this.#granted(piece) });
    if (decision.kind === "send") this.#granted(piece);
    if (decision.kind === "wait") this.#waiting.push(piece);
    return decision.kind;
  }

  settle(which: number): void {
    const [piece] = this.#running.splice(which % Math.max(1, this.#running.length), 1);
    piece?.lease.settle("ok");
  }

  leave(which: number): void {
    const [piece] = this.#waiting.splice(which % Math.max(1, this.#waiting.length), 1);
    if (piece !== undefined) assert.equal(this.#desks[piece.thread]!.leaveQueue(piece.lease), true);
  }

  /** One of the bells that have been rung is heard. */
  ring(which: number): void {
    const thread = this.#bells.take(which);
    if (thread > 0) this.#desks[thread]!.serve();
  }

  /** All bells are heard: then nobody waits who could be served. */
  ringAll(): void {
    for (let calls = 0; this.#bells.hasRung; calls++) {
      assert.ok(calls < 1_000, "threads call each other for ever");
      this.ring(calls);
    }
    this.#ledger.refresh(this.#slots);
    const isFree = (slot: number): boolean => this.#ledger.inFlight[slot]! < this.#ledger.limit[slot]!;
    for (const { thread, home, place } of this.#waiting) {
      const could = home >= 0 ? isFree(home) : this.#slots.some(isFree);
      assert.ok(!could, `${place} of thread ${thread} waits, and could be served`);
    }
  }

  die(thread: number): void {
    this.#bells.forget(thread);
    this.#waiting = this.#waiting.filter((piece) => piece.thread !== thread);
    this.#running = this.#running.filter((piece) => piece.thread !== thread);
    this.#board.beginBurial(thread);
    this.#ledger.forgetThread(thread);
    this.#board.endBurial();
    // Before another takes its place: what it had is others'.
    this.ringAll();
    this.#desks[thread] = this.#open(thread);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** As the main thread does it: without the turnstile. */
  raiseLimits(): void {
    for (const slot of this.#slots) this.#ledger.limit[slot]! += 1;
    this.change();
  }

  /** Something that might matter has changed in the main thread. */
  change(): void {
    this.#board.changed();
    this.#board.callNext();
  }

  end(): void {
    this.ringAll();
    while (this.#running.length > 0) {
      this.settle(0);
      this.ringAll();
    }
    assert.equal(this.#waiting.length, 0);
    assert.equal(this.#board.length, 0);
    assert.equal(this.#board.oldestSinceMs, Number.POSITIVE_INFINITY);
    this.#ledger.refresh(this.#slots);
    assert.ok(this.#ledger.inFlight.every((count) => count === 0));
  }

  /** Nobody of the same or a higher class who came before could have had that place. */
  #granted(piece: Piece): void {
    this.#waiting = this.#waiting.filter((other) => other !== piece);
    this.#running.push(piece);
    const { slot } = piece.lease;
    for (const other of this.#waiting) {
      const isBefore =
        other.classIndex < piece.classIndex ||
        (other.classIndex === piece.classIndex && other.place < piece.place);
      const couldTake = other.home < 0 || other.home === slot;
      assert.ok(!isBefore || !couldTake, `${piece.place} has overtaken ${other.place}`);
    }
    this.#ledger.refresh(this.#slots);
    assert.ok(this.#ledger.inFlight[slot]! <= this.#ledger.limit[slot]!, "over the limit");
  }

  #open(thread: number): Desk {
    const ledger = Ledger.open(this.#ledger.storage, thread);
    const dice = new Random(thread);
    const roster = new Roster();
    const health = new EndpointHealth(new Outlier(OUTLIER_OFF, dice));
    const generation = (slot: number): number => ledger.generation[slot]!;
    roster.set(
      [...this.#slots].map((slot) => new Endpoint(endpointSpec(`e${slot}`), slot, generation(slot), health)),
    );
    const desk = new Desk({
      name: "room",
      ledger,
      roster,
      clock: { nowMs: () => 0 },
      policy: createPolicy("least_request", { random: dice, slotsMax: 8 }),
      options: {
        queue: { requestsMax: this.#queueMax, waitMs: 1_000 },
        failover: "down",
        sessionWhenFull: "wait",
      },
      witness: { started: () => {}, established: () => {}, reported: () => {}, settled: () => {} },
      turnstile: new SlowBoard(this.#memory, thread, this.#bells, () => this.whileComing()),
      thread,
      threads: THREADS,
    });
    desk.rosterChanged();
    return desk;
  }
}

/** Takes its time between a choice and an admission. */
class SlowBoard extends WaitBoard {
  readonly #meanwhile: () => void;

  constructor(...[memory, thread, bells, meanwhile]: [...SlowParts, () => void]) {
    super(memory, thread, bells);
    this.#meanwhile = meanwhile;
  }

  override nextPlace(): number {
    this.#meanwhile();
    return super.nextPlace();
  }
}

type SlowParts = [ConstructorParameters<typeof WaitBoard>[0], number, Doorbells];

/** Rings are heard when the test says so. */
class LateBells extends Doorbells {
  readonly #rung: Set<number> = new Set();

  override ring(thread: number): void {
    this.#rung.add(thread);
  }

  get hasRung(): boolean {
    return this.#rung.size > 0;
  }

  /** One of those that have rung, or 0. */
  take(which: number): number {
    const thread = [...this.#rung][which % Math.max(1, this.#rung.size)] ?? 0;
    this.#rung.delete(thread);
    return thread;
  }

  forget(thread: number): void {
    this.#rung.delete(thread);
  }
}
