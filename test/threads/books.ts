// What the threads of a test share, and how it is checked: leases counted by something other than the ledger,
// and a diary of the order in which work waited and was given.
import assert from "node:assert/strict";
import { Ledger } from "../../src/core/ledger.ts";
import type { LedgerStorage } from "../../src/core/ledger-storage.ts";
import type { Doorbells } from "../../src/core/sharing/doorbells.ts";
import { WaitBoard, type WaitBoardMemory } from "../../src/core/sharing/wait-board.ts";
import { WORK_CLASSES } from "../../src/core/work.ts";

/** Memory of a {@link Diary}: a length, then entries. */
export function diaryMemory(entriesMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer((entriesMax + 1) * 4);
}

/**
 * Entries are made inside the turnstile, so that their order is the one in which things happened. Work is a
 * number: `id * THREADS + thread`.
 */
export class Diary {
  readonly #words: Uint32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Uint32Array(memory);
  }

  queued(work: number): void {
    this.#write(work * KINDS + QUEUED);
  }

  granted(work: number): void {
    this.#write(work * KINDS + GRANTED);
  }

  /** Whatever waited in that thread is gone. */
  died(thread: number): void {
    this.#write(thread * KINDS + DIED);
  }

  get length(): number {
    return Math.min(Atomics.load(this.#words, 0), this.#words.length - 1);
  }

  /**
   * Nobody was given a place while somebody of his class, or a higher one, had come before him and waited.
   * Whether he did wait is known only by what comes after: a thread may have died after it gave him a place
   * and before it could write that down. Returns how many had waited.
   */
  check(): number {
    const waiting = WORK_CLASSES.map(() => new Set<number>());
    const overtaken = new Map<number, string>();
    let waited = 0;
    for (let at = 1; at <= this.length; at++) {
      const word = this.#words[at]!;
      const work = Math.floor(word / KINDS);
      // A thread died between taking the line and writing it.
      if (word === 0) continue;
      if (word % KINDS === QUEUED) waiting[classOf(work)]!.add(work);
      else if (word % KINDS === DIED) {
        forget(waiting, work);
        for (const first of overtaken.keys()) if (first % THREADS === work) overtaken.delete(first);
      } else {
        const classIndex = classOf(work);
        const isWaiting = waiting[classIndex]!.has(work);
        if (isWaiting) waited++;
        for (let i = 0; i <= classIndex; i++) {
          const [first] = waiting[i]!;
          if (first === undefined || first === work) continue;
          const what = `line ${at}: ${work} (class ${classIndex}) was served before ${first} (class ${i})`;
          if (!overtaken.has(first)) overtaken.set(first, what);
        }
        assert.equal(overtaken.get(work), undefined);
        waiting[classIndex]!.delete(work);
      }
    }
    return waited;
  }

  #write(word: number): void {
    const at = Atomics.add(this.#words, 0, 1) + 1;
    if (at < this.#words.length) this.#words[at] = word;
  }
}

function forget(waiting: readonly Set<number>[], thread: number): void {
  for (const works of waiting) for (const work of works) if (work % THREADS === thread) works.delete(work);
}

/** Class of a piece of work of the tests: every fourth is high, every fourth low. */
export function classOf(work: number): number {
  const [high, normal, low] = [0, 1, 2];
  return [high, normal, normal, low][Math.floor(work / THREADS) % 4]!;
}

/** Writes down who is booked: the work is known by its units. */
export class NotedLedger extends Ledger {
  readonly #diary: Diary;

  constructor(storage: LedgerStorage, thread: number, diary: Diary) {
    super({}, { storage, thread });
    this.#diary = diary;
  }

  override book(slot: number, units: number): void {
    super.book(slot, units);
    this.#diary.granted(units);
  }
}

/** Writes down who comes to wait. */
export class NotedBoard extends WaitBoard {
  readonly #diary: Diary;
  newcomer = 0;

  constructor(memory: WaitBoardMemory, thread: number, bells: Doorbells, diary: Diary) {
    super(memory, thread, bells);
    this.#diary = diary;
  }

  override nextPlace(): number {
    this.#diary.queued(this.newcomer);
    return super.nextPlace();
  }
}

/** Nothing of that thread stays. */
export function bury(thread: number, board: WaitBoard, ledger: Ledger, diary: Diary): void {
  board.beginBurial(thread);
  diary.died(thread);
  ledger.forgetThread(thread);
  board.endBurial();
}

/** Words of the threads' tally; from `done` on, by thread: pieces of work that were done. */
export const TOLD = { stop: 0, broken: 1, deaths: 2, arrived: 3, round: 4, done: 5 } as const;

/** Threads of a test at most, the main one included. */
export const THREADS = 8;
const QUEUED = 1;
const GRANTED = 2;
const DIED = 3;
const KINDS = 4;
