import { WORK_CLASSES } from "../work.ts";
import type { Doorbells } from "./doorbells.ts";
import { OwnedLock } from "./owned-lock.ts";
import type { QueueFigures, Turnstile } from "./turnstile.ts";

/**
 * The turnstile of several threads, on shared memory: a lock that names its owner, and for each thread a row
 * that it alone writes: who stands first in its queue in each class, and at which state of things it found
 * that none of them can be served. Nothing in it can be left half done by a thread that dies: its row is
 * cleared, and its lock opened, by whoever buries it.
 *
 * An entry goes when nobody of another thread stands before it whose thread has not looked yet. So order
 * holds across threads within a class, and an entry that waits for its session's home holds up nobody.
 */
export class WaitBoard implements Turnstile {
  readonly memory: WaitBoardMemory;
  readonly #thread: number;
  readonly #bells: Doorbells;
  readonly #lock: OwnedLock;
  readonly #words: Int32Array;
  /** By thread: how many wait there. */
  readonly #lengths: Int32Array;
  /** By thread: the state of things at its last look. */
  readonly #looks: Int32Array;
  readonly #places: Float64Array;
  /** By thread and class: the first place. */
  readonly #firsts: Float64Array;
  /** By thread. */
  readonly #oldestSinceMs: Float64Array;

  /** The view of `thread` (0..threads-1). */
  constructor(memory: WaitBoardMemory, thread: number, bells: Doorbells) {
    const { buffer, threads } = memory;
    this.memory = memory;
    this.#thread = thread;
    this.#bells = bells;
    let offset = 0;
    const integers = (length: number): Int32Array => {
      const column = new Int32Array(buffer, offset, length);
      offset += Math.ceil(length / 2) * 8;
      return column;
    };
    const floats = (length: number): Float64Array => {
      const column = new Float64Array(buffer, offset, length);
      offset += length * 8;
      return column;
    };
    this.#words = integers(WORDS);
    this.#lengths = integers(threads);
    this.#looks = integers(threads);
    this.#places = floats(1);
    this.#firsts = floats(threads * WORK_CLASSES.length);
    this.#oldestSinceMs = floats(threads);
    this.#lock = new OwnedLock(this.#words, LOCK, thread + 1);
  }

  /** A board on which nobody waits. */
  static memory(threads: number): WaitBoardMemory {
    const numbers = WORDS + 2 * (threads + 1) + 1 + threads * (WORK_CLASSES.length + 1);
    return { buffer: new SharedArrayBuffer(numbers * 8), threads };
  }

  get isNeeded(): boolean {
    return Atomics.load(this.#words, SCARCE) === 1 || this.length > 0;
  }

  /** For the thread that keeps the limits: somebody has one. */
  set isScarce(isScarce: boolean) {
    Atomics.store(this.#words, SCARCE, isScarce ? 1 : 0);
  }

  get length(): number {
    let length = 0;
    for (let i = 0; i < this.#lengths.length; i++) length += Atomics.load(this.#lengths, i);
    return length;
  }

  get oldestSinceMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#lengths.length; i++) {
      if (this.#lengths[i]! > 0) oldest = Math.min(oldest, this.#oldestSinceMs[i]!);
    }
    return oldest;
  }

  enter(): boolean {
    return this.#lock.acquire();
  }

  leave(): void {
    this.#lock.release();
  }

  nextPlace(): number {
    return ++this.#places[0]!;
  }

  publish(queue: QueueFigures): void {
    const thread = this.#thread;
    for (let i = 0; i < WORK_CLASSES.length; i++) {
      this.#firsts[thread * WORK_CLASSES.length + i] = queue.firstPlace(i);
    }
    this.#oldestSinceMs[thread] = queue.oldestSinceMs();
    // Last, and for all to see before this thread looks again: whoever frees a place from now on calls.
    Atomics.store(this.#lengths, thread, queue.length);
  }

  isBehind(classIndex: number, place: number): boolean {
    const now = this.look();
    for (let thread = 0; thread < this.#lengths.length; thread++) {
      if (thread === this.#thread || this.#lengths[thread] === 0 || this.#looks[thread] === now) continue;
      for (let i = 0; i <= classIndex; i++) {
        const first = this.#firsts[thread * WORK_CLASSES.length + i]!;
        if (first > 0 && (i < classIndex || first < place)) return true;
      }
    }
    return false;
  }

  changed(): void {
    Atomics.add(this.#words, STATE_OF_THINGS, 1);
  }

  look(): number {
    return Atomics.load(this.#words, STATE_OF_THINGS);
  }

  hasLooked(look: number): void {
    Atomics.store(this.#looks, this.#thread, look);
  }

  callNext(): void {
    const next = this.#nextThread();
    if (next >= 0 && next !== this.#thread) this.#bells.ring(next);
  }

  /** Thread `thread` is dead: nobody of it waits, and it holds nothing. */
  bury(thread: number): void {
    this.#lock.releaseOf(thread + 1);
    Atomics.store(this.#lengths, thread, 0);
    this.changed();
    this.callNext();
  }

  /** Whose first entry stands before all others', of those who have not looked; -1 when nobody has to. */
  #nextThread(): number {
    const now = this.look();
    for (let classIndex = 0; classIndex < WORK_CLASSES.length; classIndex++) {
      let next = -1;
      let place = Number.POSITIVE_INFINITY;
      for (let thread = 0; thread < this.#lengths.length; thread++) {
        if (this.#lengths[thread] === 0 || this.#looks[thread] === now) continue;
        const first = this.#firsts[thread * WORK_CLASSES.length + classIndex]!;
        if (first > 0 && first < place) {
          place = first;
          next = thread;
        }
      }
      if (next >= 0) return next;
    }
    return -1;
  }
}

/** May be posted to other threads. */
export interface WaitBoardMemory {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
}

const LOCK = 0;
const STATE_OF_THINGS = 1;
const SCARCE = 2;
const WORDS = 4;
