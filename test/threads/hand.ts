import { OUTLIER_OFF } from "../../src/core/caretaker.ts";
import { Desk } from "../../src/core/desk.ts";
import { Endpoint, endpointSpec } from "../../src/core/endpoint.ts";
import { EndpointHealth } from "../../src/core/health/endpoint-health.ts";
import { Outlier } from "../../src/core/health/outlier.ts";
import { Random } from "../../src/core/kit/random.ts";
import type { Lease } from "../../src/core/lease.ts";
import type { LedgerStorage } from "../../src/core/ledger-storage.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { Roster } from "../../src/core/roster.ts";
import { Doorbells } from "../../src/core/sharing/doorbells.ts";
import type { WaitBoardMemory } from "../../src/core/sharing/wait-board.ts";
import { Work } from "../../src/core/work.ts";
import { classOf, Diary, NotedBoard, NotedLedger, THREADS, TOLD } from "./books.ts";

/** What a thread is born with. */
export interface HandSetup {
  readonly thread: number;
  readonly threads: number;
  readonly ledger: LedgerStorage;
  readonly board: WaitBoardMemory;
  readonly bells: SharedArrayBuffer;
  readonly diary: SharedArrayBuffer;
  /** By slot: whose the place is, while the limit is 1; 0 is nobody. */
  readonly holders: SharedArrayBuffer;
  /** By slot: leases now, and the most there ever were. */
  readonly counts: SharedArrayBuffer;
  /** See {@link TOLD}. */
  readonly told: SharedArrayBuffer;
  readonly slots: readonly { slot: number; generation: number }[];
  readonly seed: number;
  /** Pieces of work that are under way at once. */
  readonly clients: number;
  /** Pieces of work of the whole thread; Infinity until it is stopped. */
  readonly picks: number;
  /** Turns of the event loop that a piece of work takes, at most; 0: threads go in step. */
  readonly turnsMax: number;
  readonly hasQueue: boolean;
}

/** A thread that gives work to the endpoints of one pool, as a data thread does, without sockets. */
export class Hand {
  readonly desk: Desk;
  readonly bells: Doorbells;
  readonly board: NotedBoard;
  readonly dice: Random;
  readonly told: Int32Array;
  readonly #setup: HandSetup;
  readonly #holders: Int32Array;
  readonly #counts: Int32Array;
  #nextWork = 1;

  constructor(setup: HandSetup) {
    const { thread, slots } = setup;
    this.#setup = setup;
    this.bells = new Doorbells(setup.bells);
    this.dice = new Random(setup.seed);
    this.told = new Int32Array(setup.told);
    this.#holders = new Int32Array(setup.holders);
    this.#counts = new Int32Array(setup.counts);
    const diary = new Diary(setup.diary);
    const ledger = new NotedLedger(setup.ledger, thread, diary);
    this.board = new NotedBoard(setup.board, thread, this.bells, diary);
    const roster = new Roster();
    const health = new EndpointHealth(new Outlier(OUTLIER_OFF, this.dice));
    roster.set(
      slots.map(({ slot, generation }) => new Endpoint(endpointSpec(`e${slot}`), slot, generation, health)),
    );
    const kit = { random: this.dice.split(1), slotsMax: ledger.slotsMax };
    const queue = setup.hasQueue ? { requestsMax: 10_000, waitMs: 600_000 } : null;
    this.desk = new Desk({
      name: "default",
      ledger,
      roster,
      clock: CLOCK,
      policy: createPolicy("least_request", kit),
      options: { queue, failover: "down", sessionWhenFull: "spill" },
      witness: SILENT,
      turnstile: this.board,
      thread,
      threads: setup.threads - 1,
    });
    this.desk.rosterChanged();
  }

  /** The next piece of work of this thread. */
  work(): Work {
    const work = new Work();
    work.units = this.#nextWork++ * THREADS + this.#setup.thread;
    work.classIndex = classOf(work.units);
    this.board.newcomer = work.units;
    return work;
  }

  /** The independent book: beside the ledger, changed while the lease is held. */
  took({ slot }: Lease): void {
    const counts = this.#counts;
    const now = Atomics.add(counts, slot * 2, 1) + 1;
    for (let most = Atomics.load(counts, slot * 2 + 1); most < now;) {
      const before = Atomics.compareExchange(counts, slot * 2 + 1, most, now);
      if (before === most) break;
      most = before;
    }
    this.#changeHolder(slot, 0, this.#setup.thread);
  }

  giveBack(lease: Lease): void {
    this.#changeHolder(lease.slot, this.#setup.thread, 0);
    Atomics.sub(this.#counts, lease.slot * 2, 1);
    lease.settle("ok");
    Atomics.add(this.told, TOLD.done + this.#setup.thread, 1);
  }

  /** While the limit is 1, a place has one owner. */
  #changeHolder(slot: number, from: number, to: number): void {
    if (!this.#setup.hasQueue) return;
    if (Atomics.compareExchange(this.#holders, slot, from, to) !== from) {
      Atomics.add(this.told, TOLD.broken, 1);
    }
  }
}

/** Not Node's: that is loaded at its first use, and a thread may end in the middle of it. */
const CLOCK = { turns: 0, nowMs: (): number => ++CLOCK.turns / 1000 };
const SILENT = {
  started: (): void => {},
  established: (): void => {},
  reported: (): void => {},
  settled: (): void => {},
};
