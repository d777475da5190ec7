import type { Random } from "../kit/random.ts";
import { type Entry, TaskBook } from "./book.ts";
import { afterEnding, type Ending, eventOf, over, type Verdict } from "./ending.ts";
import type { EngineLink, Turns } from "./engine-link.ts";
import { DEFAULT_ENGINE_OPTIONS, type EngineOptions } from "./engine-options.ts";
import { Leases } from "./leases.ts";
import { Stages } from "./stages.ts";
import { END_STATES, isEnd, type TaskRecord, type TaskState } from "./task.ts";
import { Timetable } from "./timetable.ts";
import { waitingOf } from "./waiting.ts";
import type { Lease, LeaseId, Worker } from "./workers.ts";
import type { WriteOutcome } from "./write.ts";
import { Writing } from "./writing.ts";

/**
 * The second door's mind: one event in, effects out; no I/O and no clock of its own. Everything that happens
 * to a task is decided here, written under a condition, and told when it is durable. Times are monotonic
 * milliseconds.
 */
export class TaskEngine {
  readonly book: TaskBook = new TaskBook();
  readonly timetable: Timetable = new Timetable();
  readonly leases: Leases;
  readonly #link: EngineLink;
  readonly #turns: Turns;
  readonly #random: Random;
  readonly #options: EngineOptions;
  readonly #writing: Writing;
  readonly #stages: Stages;

  constructor(link: EngineLink, turns: Turns, random: Random, options: Partial<EngineOptions> = {}) {
    this.#link = link;
    this.#turns = turns;
    this.#random = random;
    this.#options = { ...DEFAULT_ENGINE_OPTIONS, ...options };
    this.#writing = new Writing(link, this.timetable);
    this.#stages = new Stages(this.book, this.timetable, turns, link, this.#writing);
    this.leases = new Leases(this.book, turns, link, this.#options, {
      decide: (entry, verdict, nowMs) => this.#stages.settle(entry, verdict, nowMs),
      reattach: (entry, lease, nowMs) => this.#reattach(entry, lease, nowMs),
    });
  }

  /**
   * What the store knew at the start; `parents`: how those ended that they wait for. Nobody is doubted yet.
   */
  load(records: readonly TaskRecord[], parents: ReadonlyMap<string, TaskState>, nowMs: number): void {
    for (const record of records) {
      const entry = this.book.add(record, parents);
      this.#stages.enter(entry, nowMs);
      if (record.state === "leased") this.leases.expect(entry, nowMs);
    }
  }

  /**
   * Writes it down; `done` says what became of it. `parents`: how those ended that the book does not know.
   */
  submit(
    task: TaskRecord,
    payload: Uint8Array | null,
    parents: ReadonlyMap<string, TaskState>,
    done: (outcome: WriteOutcome) => void,
  ): void {
    const event = eventOf(task, "submitted", task.submittedAtMs, null);
    const { idempotencyKeyKeptMs: keyKeptMs } = this.#options;
    this.#link.commit({ do: "submit", task, payload, event, keyKeptMs }, (outcome, nowMs) => {
      if (outcome.kind === "done") this.#stages.enter(this.book.add(task, parents), nowMs);
      done(outcome);
    });
  }

  /**
   * An attempt has ended. Under a fence that still counts it decides; under another its result is evidence.
   * `result` is kept with whatever it decides.
   */
  ended(worker: Worker, id: LeaseId, ending: Ending, result: Uint8Array | null, nowMs: number): void {
    worker.seenMs = nowMs;
    const entry = this.book.get(id.task);
    if (entry === undefined) return this.#late(worker, id, ending, result);
    entry.inTurn(() => {
      const lease = this.leases.find(entry, worker, id);
      if (isEnd(entry.record.state) || lease === null) return this.#late(worker, id, ending, result);
      this.#decide(entry, lease, ending, result, nowMs);
    });
  }

  /** Nobody wants it any more. `done`: how it is then; null: there is no such task that has not ended. */
  cancel(id: string, nowMs: number, done: (record: TaskRecord | null) => void): void {
    const entry = this.book.get(id);
    if (entry === undefined) return done(null);
    entry.inTurn(() => {
      const { record } = entry;
      if (isEnd(record.state) || record.isCancelAsked) return done(record);
      const wallMs = this.#link.wallMs();
      const isOut = record.state === "leased";
      const verdict: Verdict = isOut
        ? {
            change: { state: "leased", isCancelAsked: true },
            event: eventOf(record, "cancel_asked", wallMs, null),
          }
        : over(record, "cancelled", wallMs, "cancelled by its owner");
      this.#stages.settle(entry, verdict, nowMs, null, () => {
        for (const lease of entry.leases) this.#link.cancel(lease.worker, lease);
        done(entry.record);
      });
    });
  }

  /** One that has ended badly begins anew, with all its attempts. `record`: as the store has it. */
  redrive(record: TaskRecord, done: (outcome: WriteOutcome) => void): void {
    const wallMs = this.#link.wallMs();
    const change = { ...ANEW, state: "queued" as const, readyAtMs: wallMs };
    const event = eventOf(record, "redriven", wallMs, null);
    const condition = { ifState: REDRIVEN, ifFence: record.fence, ifEpoch: null };
    this.#link.commit({ do: "change", id: record.id, ...condition, change, event }, (outcome, nowMs) => {
      const isIn = outcome.kind === "done" && this.book.get(record.id) === undefined;
      if (isIn) this.#stages.enter(this.book.add({ ...record, ...change }, ALL_ENDED), nowMs);
      done(outcome);
    });
  }

  /** Time has passed: what is due is done, silent workers are doubted, and whoever has a place gets work. */
  tick(nowMs: number): void {
    this.timetable.run(nowMs);
    this.leases.expire(nowMs);
    this.schedule(nowMs);
    this.#copySlow(nowMs);
  }

  /** Gives what waits to places that are free. */
  schedule(nowMs: number): void {
    if (this.#turns.size === 0 || this.#writing.isPaused(nowMs)) return;
    this.#turns.assign(this.leases.workers(), nowMs, (id, worker) => {
      const entry = this.book.get(id);
      if (entry !== undefined && !entry.isWriting) this.#lease(entry, worker, nowMs, "leased");
    });
  }

  #lease(entry: Entry, worker: Worker, nowMs: number, kind: "leased" | "speculated"): void {
    const { record } = entry;
    this.#turns.withdraw(record.id);
    const lease = this.leases.give(entry, worker, nowMs, kind === "speculated");
    this.#turns.began(waitingOf(record, nowMs), worker.name, nowMs);
    const startedAtMs = this.#link.wallMs();
    const change = {
      state: "leased" as const,
      attempt: record.attempt + (kind === "leased" ? 1 : 0),
      fence: lease.fence,
      worker: worker.name,
      boot: worker.facts.boot,
      owner: this.#options.owner,
      startedAtMs,
      reason: null,
    };
    const event = eventOf({ ...record, ...change }, kind, startedAtMs, null);
    this.#stages.settle(entry, { change, event }, nowMs, null, (isDone) => {
      if (isDone) this.leases.send(lease);
      else this.#giveBack(entry, lease, nowMs);
    });
  }

  #decide(entry: Entry, lease: Lease, ending: Ending, result: Uint8Array | null, nowMs: number): void {
    const { record } = entry;
    const { worker } = lease;
    if (ending.outcome === "refused") worker.pausedUntilMs = nowMs + REFUSED_PAUSE_MS;
    if (entry.leases.length > 1 && ending.outcome !== "ok" && !record.isCancelAsked) {
      // Its copy, or the one that it is a copy of, goes on.
      this.#giveBack(entry, lease, nowMs);
      return this.#late(worker, lease, ending, result);
    }
    // Its place is free as of now: the next lease may be written together with this end.
    worker.unbook(lease);
    const verdict = afterEnding(record, ending, this.#link.wallMs(), this.#random);
    this.#stages.settle(entry, verdict, nowMs, { result }, (isDone) => {
      this.#turns.ended(waitingOf(record, nowMs), worker.name, ending.ranMs, ending.outcome === "ok");
      this.leases.drop(entry, lease);
      for (const other of entry.leases.slice()) {
        this.#link.cancel(other.worker, other);
        this.#giveBack(entry, other, nowMs);
      }
      this.#link.kept(worker, lease, !isDone);
    });
  }

  /** It ends here without having told how long it takes. */
  #giveBack(entry: Entry, lease: Lease, nowMs: number): void {
    const { worker, sinceMs } = lease;
    this.#turns.ended(waitingOf(entry.record, nowMs), worker.name, nowMs - sinceMs, false);
    this.leases.drop(entry, lease);
  }

  #reattach(entry: Entry, lease: Lease, nowMs: number): void {
    const event = eventOf(entry.record, "reattached", this.#link.wallMs(), "its agent is back with it");
    this.#turns.began(waitingOf(entry.record, nowMs), lease.worker.name, nowMs);
    this.#stages.settle(entry, { change: { state: "leased", reason: null }, event }, nowMs, null, () => {
      if (entry.record.isCancelAsked) this.#link.cancel(lease.worker, lease);
    });
  }

  /** Copies of those that take far longer than their kind, where a worker has nothing to do and all may. */
  #copySlow(nowMs: number): void {
    if (this.#turns.size > 0) return;
    const running = this.leases.running();
    let budget = Math.max(1, Math.floor(running.length * this.#options.copiesPart));
    budget -= running.filter(({ isCopy }) => isCopy).length;
    for (const lease of running) {
      if (budget <= 0) return;
      const entry = this.book.get(lease.task)!;
      const { spec, state, isCancelAsked } = entry.record;
      if (spec.speculateAfter === null || !spec.isIdempotent || state !== "leased" || isCancelAsked) continue;
      if (entry.isWriting || entry.leases.length > 1) continue;
      const usualMs = this.#turns.p95S(spec.key, lease.worker.name) * 1000;
      if (!(nowMs - lease.sinceMs > usualMs * spec.speculateAfter)) continue;
      const elsewhere = this.leases.takers(nowMs).filter((worker) => worker !== lease.worker);
      const worker = this.#turns.choose(waitingOf(entry.record, nowMs), elsewhere, nowMs);
      if (worker === null) continue;
      this.#lease(entry, worker, nowMs, "speculated");
      budget--;
    }
  }

  /** Its fence does not count any more: kept as evidence, and the agent may forget it. */
  #late(worker: Worker, { task, fence }: LeaseId, ending: Ending, evidence: Uint8Array | null): void {
    const detail = `${ending.outcome}${ending.reason === null ? "" : `: ${ending.reason}`}`;
    const atMs = this.#link.wallMs();
    const event = { kind: "late_result" as const, atMs, attempt: 0, fence, worker: worker.name, detail };
    this.#writing.commit({ do: "note", id: task, event, evidence }, () => {
      this.#link.kept(worker, { task, fence }, true);
    });
  }
}

/** States that a task can be taken back from. */
export const REDRIVEN: readonly TaskState[] = END_STATES.filter((state) => state !== "succeeded");
const ANEW = {
  attempt: 0,
  crashes: 0,
  worker: null,
  boot: null,
  owner: null,
  startedAtMs: null,
  endedAtMs: null,
  exitCode: null,
  isCancelAsked: false,
  reason: null,
};
/** Whoever takes a task back does not want it to wait for its parents. */
const ALL_ENDED: ReadonlyMap<string, TaskState> = new Map();
const REFUSED_PAUSE_MS = 1_000;
