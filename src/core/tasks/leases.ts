import type { Entry, TaskBook } from "./book.ts";
import { afterLoss, afterSilence, neverBegun, type Verdict } from "./ending.ts";
import type { EngineLink, Turns } from "./engine-link.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { TaskRecord } from "./task.ts";
import { type Lease, type LeaseId, leaseKey, Worker, type WorkerFacts } from "./workers.ts";

/** Who has what, and who is still believed in. What follows from a loss the engine writes down. */
export class Leases {
  readonly #book: TaskBook;
  readonly #turns: Turns;
  readonly #link: EngineLink;
  readonly #options: EngineOptions;
  readonly #settle: Settle;
  readonly #workers: Map<string, Worker> = new Map();

  constructor(book: TaskBook, turns: Turns, link: EngineLink, options: EngineOptions, settle: Settle) {
    this.#book = book;
    this.#turns = turns;
    this.#link = link;
    this.#options = options;
    this.#settle = settle;
  }

  workers(): IterableIterator<Worker> {
    return this.#workers.values();
  }

  worker(name: string): Worker | undefined {
    return this.#workers.get(name);
  }

  /** Those that something new may go to now. */
  takers(nowMs: number): Worker[] {
    const takers: Worker[] = [];
    for (const worker of this.#workers.values()) if (worker.takesWork(nowMs)) takers.push(worker);
    return takers;
  }

  /** All that are out. */
  running(): Lease[] {
    return [...this.#workers.values()].flatMap(({ leases }) => [...leases.values()]);
  }

  /** A lease of before the start: its agent gets time to come back, and a whole TTL. */
  expect(entry: Entry, nowMs: number): void {
    const { worker: name, boot, fence } = entry.record;
    const facts = { ...NOBODY, worker: name ?? "", boot: boot ?? "" };
    const worker = this.#workers.get(facts.worker) ?? new Worker(facts, nowMs + this.#options.startGraceMs);
    this.#workers.set(worker.name, worker);
    this.#give(entry, worker, fence, nowMs, false).sentOver = BEFORE_THE_START;
  }

  /** Takes a place for the next fence of a task, or for a copy of it. */
  give(entry: Entry, worker: Worker, nowMs: number, isCopy = false): Lease {
    return this.#give(entry, worker, entry.record.fence + 1, nowMs, isCopy);
  }

  /**
   * The lease is durable: the worker may begin. Where nobody speaks for it, it is sent when somebody does.
   */
  send(lease: Lease): void {
    const { connection } = lease.worker;
    if (connection === null || lease.isVoid) return;
    lease.sentOver = connection;
    this.#link.run(lease.worker, lease);
  }

  /** The lease that a worker speaks of, if it still counts. */
  find(entry: Entry, worker: Worker, { fence }: LeaseId): Lease | null {
    return entry.leases.find((lease) => lease.fence === fence && lease.worker === worker) ?? null;
  }

  drop(entry: Entry, lease: Lease): void {
    const at = entry.leases.indexOf(lease);
    if (at >= 0) entry.leases.splice(at, 1);
    lease.worker.unbook(lease);
    this.#forgetIdle(lease.worker);
  }

  /**
   * An agent is there, with what it holds. Returns its worker, and those of `holds` that are not its any
   * more.
   */
  hello(facts: WorkerFacts, holds: readonly LeaseId[], connection: object, nowMs: number): Welcome {
    const before = this.#workers.get(facts.worker);
    const worker = before ?? new Worker(facts, nowMs);
    if (before !== undefined && before.facts.boot !== facts.boot) {
      this.#rebooted(worker, `the agent of ${worker.name} was started anew: what it ran is gone`, nowMs);
    }
    worker.meet(facts, connection, nowMs);
    this.#workers.set(worker.name, worker);
    const held = new Set(holds.map(leaseKey));
    for (const lease of worker.leases.values()) {
      if (!held.has(leaseKey(lease))) this.#isMissing(lease, connection, nowMs);
    }
    return { worker, dead: holds.filter((hold) => !this.#isStillIts(worker, hold, nowMs)) };
  }

  /** Its connection is lost: nothing new goes there; its leases have their TTL. */
  gone(worker: Worker, connection: object): void {
    if (worker.connection === connection) worker.connection = null;
    this.#forgetIdle(worker);
  }

  /** The agent sees from outside that a task's process stands still. */
  frozen(worker: Worker, id: LeaseId, why: string, nowMs: number): void {
    const entry = this.#book.get(id.task);
    const lease = entry === undefined ? null : this.find(entry, worker, id);
    if (lease === null || lease.isFrozen) return;
    lease.isFrozen = true;
    const isMoved = entry!.record.spec.isIdempotent;
    if (isMoved) this.#link.cancel(worker, lease);
    const reason = `on ${worker.name} what runs it stands still: ${why}`;
    this.#lost(lease, nowMs, (record, wallMs) =>
      isMoved ? afterLoss(record, reason, wallMs) : afterSilence(record, reason, wallMs),
    );
  }

  /** Ends the belief in those that were silent for too long. */
  expire(nowMs: number): void {
    for (const worker of this.#workers.values()) {
      const silentMs = nowMs - worker.seenMs;
      if (silentMs <= this.#options.leaseTtlMs) continue;
      // If it wakes, it must say anew what it has: some of that goes on elsewhere by then.
      if (worker.connection !== null) this.#link.disconnect(worker);
      worker.connection = null;
      const why = `worker ${worker.name} was silent for ${Math.round(silentMs / 1000)} s`;
      for (const lease of worker.leases.values()) {
        this.#lost(lease, nowMs, (record, wallMs) => afterSilence(record, why, wallMs));
      }
      this.#forgetIdle(worker);
    }
  }

  #give(entry: Entry, worker: Worker, fence: number, nowMs: number, isCopy: boolean): Lease {
    const { id, spec } = entry.record;
    const lease: Lease = {
      task: id,
      fence,
      worker,
      resources: spec.resources,
      sinceMs: nowMs,
      predictedMs: this.#turns.predictS(spec.key, worker.name) * 1000,
      isCopy,
      sentOver: null,
      isFrozen: false,
      isVoid: false,
    };
    entry.leases.push(lease);
    worker.book(lease);
    worker.remember(spec.affinity);
    return lease;
  }

  /** The agent that came back does not name it. */
  #isMissing(lease: Lease, connection: object, nowMs: number): void {
    const entry = this.#book.get(lease.task)!;
    if (lease.sentOver === null) {
      // Not durable yet: it is sent when it is. Durable, and nobody was there to take it: now there is.
      if (!entry.isWriting) this.send(lease);
      return;
    }
    if (lease.sentOver === connection) return;
    const why = `${lease.worker.name} came back and had never begun it`;
    this.#lost(lease, nowMs, (record, wallMs) => neverBegun(record, why, wallMs));
  }

  #isStillIts(worker: Worker, hold: LeaseId, nowMs: number): boolean {
    const entry = this.#book.get(hold.task);
    if (entry === undefined) return false;
    const { state, fence, worker: name } = entry.record;
    if (this.find(entry, worker, hold) !== null) return true;
    if (state !== "suspect" || fence !== hold.fence || name !== worker.name || entry.isWriting) return false;
    const lease = this.#give(entry, worker, fence, nowMs, false);
    lease.sentOver = worker.connection;
    this.#settle.reattach(entry, lease, nowMs);
    return true;
  }

  /** Its agent of before is gone for good, and what it ran with it: also what was only doubted. */
  #rebooted(worker: Worker, why: string, nowMs: number): void {
    for (const lease of worker.leases.values()) {
      // What was not sent yet the agent of before never had.
      const isUnsent = lease.sentOver === null;
      lease.isVoid = isUnsent;
      this.#lost(lease, nowMs, (record, wallMs) => {
        return isUnsent ? neverBegun(record, why, wallMs) : afterLoss(record, why, wallMs);
      });
    }
    for (const entry of this.#book.entries()) {
      const { state, worker: name } = entry.record;
      if (state !== "suspect" || name !== worker.name) continue;
      entry.inTurn(() => {
        if (entry.record.state !== "suspect") return;
        this.#settle.decide(entry, afterLoss(entry.record, why, this.#link.wallMs()), nowMs);
      });
    }
  }

  /** The lease has ended without a result; what becomes of the task is for `judge`, unless a copy runs on. */
  #lost(lease: Lease, nowMs: number, judge: (record: TaskRecord, wallMs: number) => Verdict): void {
    const entry = this.#book.get(lease.task)!;
    entry.inTurn(() => {
      if (!entry.leases.includes(lease)) return;
      this.drop(entry, lease);
      if (entry.leases.length > 0 || entry.record.state !== "leased") return;
      this.#settle.decide(entry, judge(entry.record, this.#link.wallMs()), nowMs);
    });
  }

  #forgetIdle(worker: Worker): void {
    const isIdle = worker.connection === null && worker.leases.size === 0;
    // Under its name there may be another by now: one that came when this one had nothing left.
    if (isIdle && this.#workers.get(worker.name) === worker) this.#workers.delete(worker.name);
  }
}

/** What the engine does with what follows. */
export interface Settle {
  decide(entry: Entry, verdict: Verdict, nowMs: number): void;
  reattach(entry: Entry, lease: Lease, nowMs: number): void;
}

/** What an agent is told when it comes. */
export interface Welcome {
  readonly worker: Worker;
  readonly dead: readonly LeaseId[];
}

const NOBODY = { slots: 0, resources: {}, labels: {}, loops: [] };
const BEFORE_THE_START = {};
