import { type Entry, lets, type TaskBook } from "./book.ts";
import { eventOf, over, type Verdict } from "./ending.ts";
import type { EngineLink, Turns } from "./engine-link.ts";
import { isEnd, type TaskState } from "./task.ts";
import type { Due, Timetable } from "./timetable.ts";
import { waitingOf } from "./waiting.ts";
import type { Writing } from "./writing.ts";

/**
 * Where a task stands while no worker has it: waiting for parents, for its time, for its turn, for its agent.
 */
export class Stages {
  readonly #book: TaskBook;
  readonly #timetable: Timetable;
  readonly #turns: Turns;
  readonly #link: EngineLink;
  readonly #writing: Writing;

  constructor(book: TaskBook, timetable: Timetable, turns: Turns, link: EngineLink, writing: Writing) {
    this.#book = book;
    this.#timetable = timetable;
    this.#turns = turns;
    this.#link = link;
    this.#writing = writing;
  }

  /** Writes down what becomes of a task, and then brings it there. `done` comes before that. */
  settle(
    entry: Entry,
    verdict: Verdict,
    nowMs: number,
    kept: { readonly result: Uint8Array | null } | null = null,
    done: (isDone: boolean) => void = NOTHING,
  ): void {
    this.#writing.change(entry, verdict, kept?.result, (isDone, laterMs) => {
      done(isDone);
      this.enter(entry, Math.max(nowMs, laterMs));
    });
  }

  /** Brings a task to where its record says that it is. */
  enter(entry: Entry, nowMs: number): void {
    const { record } = entry;
    this.#timetable.callOff(entry.due);
    entry.due = null;
    if (isEnd(record.state)) return this.#leave(entry, nowMs);
    if (record.state === "queued") this.#turns.enqueue(waitingOf(record, nowMs));
    else this.#turns.withdraw(record.id);
    entry.due = this.#nextTime(entry, nowMs);
    this.#watchDeadline(entry, nowMs);
    if (record.state === "blocked" && entry.waitsFor === 0) this.#ready(entry, nowMs);
  }

  #nextTime(entry: Entry, nowMs: number): Due | null {
    const { state, readyAtMs, spec } = entry.record;
    if (state === "delayed") {
      const atMs = nowMs + Math.max(0, readyAtMs - this.#link.wallMs());
      return this.#timetable.at(atMs, (dueMs) => this.#ready(entry, dueMs));
    }
    if (state !== "suspect") return null;
    return this.#timetable.at(nowMs + spec.lostAfterS * 1000, (dueMs) => this.#giveUp(entry, dueMs));
  }

  #watchDeadline(entry: Entry, nowMs: number): void {
    const { state, spec } = entry.record;
    const mayExpire = state === "queued" || state === "delayed" || state === "blocked";
    if (!mayExpire) {
      this.#timetable.callOff(entry.deadline);
      entry.deadline = null;
    } else if (spec.deadlineMs !== null && entry.deadline === null) {
      const atMs = nowMs + Math.max(0, spec.deadlineMs - this.#link.wallMs());
      entry.deadline = this.#timetable.at(atMs, (dueMs) => this.#expire(entry, dueMs));
    }
  }

  /** Its parents, or its time, do not hold it any more. */
  #ready(entry: Entry, nowMs: number): void {
    entry.inTurn(() => {
      const { record } = entry;
      if (record.state !== "delayed" && !(record.state === "blocked" && entry.waitsFor === 0)) return;
      const wallMs = this.#link.wallMs();
      const state = record.state === "blocked" && record.readyAtMs > wallMs ? "delayed" : "queued";
      this.settle(entry, { change: { state }, event: eventOf(record, "ready", wallMs, null) }, nowMs);
    });
  }

  #giveUp(entry: Entry, nowMs: number): void {
    entry.inTurn(() => {
      const { record } = entry;
      if (record.state !== "suspect") return;
      const why = `${record.reason}; and nothing was heard of it for ${record.spec.lostAfterS} s more`;
      this.settle(entry, over(record, "worker_lost", this.#link.wallMs(), why), nowMs);
    });
  }

  #expire(entry: Entry, nowMs: number): void {
    entry.deadline = null;
    entry.inTurn(() => {
      const { record } = entry;
      if (record.state !== "queued" && record.state !== "delayed" && record.state !== "blocked") return;
      const why = "its deadline passed before it could begin";
      this.settle(entry, over(record, "expired", this.#link.wallMs(), why), nowMs);
    });
  }

  #leave(entry: Entry, nowMs: number): void {
    this.#timetable.callOff(entry.deadline);
    this.#turns.withdraw(entry.id);
    const { state } = entry.record;
    for (const child of this.#book.end(entry)) {
      if (lets(child.record, state)) {
        this.#book.release(entry.id, child);
        if (child.waitsFor === 0) this.#ready(child, nowMs);
      } else if (child.record.spec.onParentFailure === "skip") this.#skip(child, entry.id, state, nowMs);
    }
  }

  #skip(child: Entry, parent: string, how: TaskState, nowMs: number): void {
    child.inTurn(() => {
      if (child.record.state !== "blocked") return;
      const why = `its parent ${parent} ended as ${how}`;
      this.settle(child, over(child.record, "skipped", this.#link.wallMs(), why), nowMs);
    });
  }
}

const NOTHING = (): void => {};
