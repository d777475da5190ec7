import type { Doorbells } from "./doorbells.ts";
import { OwnedLock } from "./owned-lock.ts";
import type { QueueFigures, Turnstile } from "./turnstile.ts";

/**
 * The turnstile of several threads, on shared memory: a lock that names its owner, and for each thread a row
 * that it alone writes: who stands first in its queue, and how far it has looked at the queue in which state
 * of things. Nothing in it can be left half done by a thread that dies: its row is cleared, and its lock
 * opened, by whoever buries it.
 *
 * An entry goes when nobody of another thread stands before it who may be served, as far as is known: not
 * looked at since things have changed, or found servable and stopped by somebody before. So order holds
 * across threads within a class, and an entry that waits for its session's home holds up nobody.
 *
 * Nobody is forgotten: whoever changes the state of things calls the first thread that has not looked since;
 * that one serves, looks, and calls the next.
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
  /** By thread: the rank of its first entry. */
  readonly #firstRanks: Float64Array;
  /** By thread: the rank of the first entry that it had not looked at then, or found servable. */
  readonly #leftRanks: Float64Array;
  /** By thread. */
  readonly #oldestSinceMs: Float64Array;
  #isBurying = false;

  /** The view of `thread` (0..threads-1). `waitMsMax`: see {@link OwnedLock}. */
  constructor(memory: WaitBoardMemory, thread: number, bells: Doorbells, waitMsMax?: number) {
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
    this.#firstRanks = floats(threads);
    this.#leftRanks = floats(threads);
    this.#oldestSinceMs = floats(threads);
    this.#lock = new OwnedLock(this.#words, LOCK, thread + 1, waitMsMax);
  }

  /** A board on which nobody waits. */
  static memory(threads: number): WaitBoardMemory {
    const numbers = WORDS / 2 + 2 * Math.ceil(threads / 2) + 1 + 3 * threads;
    return { buffer: new SharedArrayBuffer(numbers * 8), threads };
  }

  get isNeeded(): boolean {
    return Atomics.load(this.#words, SCARCE) === 1 || this.length > 0;
  }

  noteScarcity(isScarce: boolean): void {
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
    this.#firstRanks[thread] = queue.firstRank;
    this.#oldestSinceMs[thread] = queue.oldestSinceMs();
    // Last, and for all to see before this thread looks again: whoever frees a place from now on calls.
    Atomics.store(this.#lengths, thread, queue.length);
  }

  isBehind(rank: number): boolean {
    const now = this.look();
    for (let thread = 0; thread < this.#lengths.length; thread++) {
      if (thread !== this.#thread && this.#nextRank(thread, now) < rank) return true;
    }
    return false;
  }

  changed(): void {
    Atomics.add(this.#words, STATE_OF_THINGS, 1);
  }

  look(): number {
    return Atomics.load(this.#words, STATE_OF_THINGS);
  }

  hasLooked(look: number, rank: number): void {
    this.#leftRanks[this.#thread] = rank;
    Atomics.store(this.#looks, this.#thread, look);
  }

  callNext(): void {
    const now = this.look();
    let next = this.#thread;
    let rank = this.#nextRank(next, now);
    for (let thread = 0; thread < this.#lengths.length; thread++) {
      const its = this.#nextRank(thread, now);
      if (its >= rank) continue;
      rank = its;
      next = thread;
    }
    if (next !== this.#thread) this.#bells.ring(next);
  }

  callSelf(): void {
    this.#bells.ring(this.#thread);
  }

  /**
   * Thread `thread` is dead: nobody of it waits, it holds nothing. Until {@link endBurial} nobody chooses:
   * meanwhile its places are given back, and whoever chose would overtake those who wait for them.
   */
  beginBurial(thread: number): void {
    this.#lock.releaseOf(thread + 1);
    // Not to be had: its owner is dead, too, and not yet buried. Then nobody can choose either.
    this.#isBurying = this.enter();
    Atomics.store(this.#lengths, thread, 0);
  }

  endBurial(): void {
    this.changed();
    if (this.#isBurying) this.leave();
    this.#isBurying = false;
    this.callNext();
  }

  /** The rank of that thread's first entry that may be served as far as is known; Infinity is none. */
  #nextRank(thread: number, now: number): number {
    if (Atomics.load(this.#lengths, thread) === 0) return Number.POSITIVE_INFINITY;
    if (Atomics.load(this.#looks, thread) === now) return this.#leftRanks[thread]!;
    return this.#firstRanks[thread]!;
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
