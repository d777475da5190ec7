import { type Decision, type RefuseReason, WAIT_SATURATED } from "../decision.ts";
import type { Lease } from "../lease.ts";
import type { Turnstile } from "../sharing/turnstile.ts";
import type { Work } from "../work.ts";
import { type QueueEntry, type QueueOptions, rankOf, type Waiter, WaitQueue } from "./wait-queue.ts";

/** Where the work of one thread waits for room, and who is given what has become free. */
export class WaitingRoom {
  readonly queue: WaitQueue = new WaitQueue();
  readonly #turnstile: Turnstile;
  readonly #desk: WaitingDesk;
  #isServing = false;
  /** The state of things at the last look, and the rank of the first who could be served then. */
  #look = 0;
  #leftRank: number = Number.POSITIVE_INFINITY;

  constructor(turnstile: Turnstile, desk: WaitingDesk) {
    this.#turnstile = turnstile;
    this.#desk = desk;
    turnstile.publish(this.queue);
  }

  /** Others were here first, and may be served: a newcomer overtakes nobody. Who can not wait does. */
  mustStandBehind({ classIndex }: Work, waiter: Waiter | null, look: number): boolean {
    if (waiter === null) return false;
    const rank = rankOf(classIndex + 1, 0);
    const hasUnseen = this.#isServing || this.#look !== look || this.#leftRank < rank;
    if (this.queue.length > 0 && hasUnseen) return true;
    return this.#turnstile.isBehind(rank);
  }

  /**
   * The work waits, or is refused as the queue is full. `look`: the state of things in which nobody could
   * take it; null when it was not tried, for others stand before it. Within the turnstile.
   */
  admit(
    work: Work,
    lease: Lease,
    waiter: Waiter,
    options: QueueOptions,
    look: number | null,
    nowMs: number,
  ): Decision {
    const turnstile = this.#turnstile;
    if (turnstile.length >= options.requestsMax) return this.#desk.refuse("queue_full", nowMs);
    const rank = rankOf(work.classIndex, turnstile.nextPlace());
    const wasEmpty = this.queue.length === 0;
    this.queue.push({ work, lease, waiter, rank, sinceMs: nowMs, deadlineMs: nowMs + options.waitMs });
    // One that was not tried is the first of those that may be served, unless there is one already.
    if (look !== null && wasEmpty) this.#noteLook(look, Number.POSITIVE_INFINITY);
    else if (look === null && wasEmpty) this.#noteLook(turnstile.look(), rank);
    else if (look === null) this.#noteLook(this.#look, Math.min(this.#leftRank, rank));
    turnstile.publish(this.queue);
    return WAIT_SATURATED;
  }

  /**
   * After an admission, and outside of the turnstile: whoever made room since `look` may not have seen that
   * somebody waits here.
   */
  lookAgain(look: number): void {
    if (!this.#isServing && this.#turnstile.look() !== look) this.#turnstile.callSelf();
  }

  /** The work no longer waits; false when it did not. */
  leave(lease: Lease): boolean {
    if (this.queue.length === 0 || !this.queue.removeLease(lease)) return false;
    this.#publish();
    return true;
  }

  /** Takes out all who wait, in their order: they are served elsewhere. */
  takeAll(): QueueEntry[] {
    const all: QueueEntry[] = [];
    for (let entry = this.queue.first(); entry !== null; entry = this.queue.first()) {
      this.queue.remove(entry);
      all.push(entry);
    }
    this.#publish();
    return all;
  }

  /** Gives what has become free to those who wait. Waiters may pick or settle while they are told. */
  serve(nowMs: number): void {
    if (this.#isServing) return;
    if (this.queue.length > 0) {
      this.#isServing = true;
      try {
        while (this.#serveOne(nowMs));
      } finally {
        this.#isServing = false;
      }
    }
    this.#turnstile.callNext();
  }

  /** Refuses those who would have waited until `untilMs` at most. */
  refuse(reason: RefuseReason, untilMs: number, nowMs: number): void {
    for (;;) {
      const entry = this.queue.takeExpired(untilMs);
      if (entry === null) return;
      this.#publish();
      entry.waiter.decided(this.#desk.refuse(reason, nowMs));
    }
  }

  #serveOne(nowMs: number): boolean {
    if (!this.#turnstile.enter()) return false;
    let entry: QueueEntry | null;
    let decision: Decision | null = null;
    try {
      entry = this.#takeServable(nowMs);
      if (entry !== null) decision = this.#desk.send(this.#slot, entry.work, entry.lease, nowMs);
    } finally {
      this.#turnstile.leave();
    }
    if (entry === null || decision === null) return false;
    entry.waiter.decided(decision);
    return true;
  }

  /** Where the entry that was taken last goes. */
  #slot = -1;

  #takeServable(nowMs: number): QueueEntry | null {
    const turnstile = this.#turnstile;
    const look = turnstile.look();
    let leftRank = Number.POSITIVE_INFINITY;
    let entry = this.queue.first();
    for (let passed = 0; entry !== null && passed < SCAN_MAX; passed++) {
      const { work } = entry;
      if (turnstile.isBehind(entry.rank)) {
        // Only one that could go has to wait for another thread: the others are passed over in one scan.
        if (this.#desk.canChoose(work, nowMs)) {
          leftRank = entry.rank;
          break;
        }
      } else {
        this.#slot = this.#desk.choose(work, nowMs);
        if (this.#slot >= 0) {
          this.queue.remove(entry);
          turnstile.publish(this.queue);
          return entry;
        }
      }
      // Where nobody has room for work that may go anywhere, the others need not be tried.
      if (this.#desk.isFull() && work.labels === null && work.triedCount === 0) break;
      entry = this.queue.after(entry);
    }
    this.#noteLook(look, leftRank);
    return null;
  }

  #noteLook(look: number, leftRank: number): void {
    this.#look = look;
    this.#leftRank = leftRank;
    this.#turnstile.hasLooked(look, leftRank);
  }

  #publish(): void {
    // Without the turnstile an entry that is gone is taken for one that waits, until the next change.
    const hasEntered = this.#turnstile.enter();
    this.#turnstile.publish(this.queue);
    if (hasEntered) this.#turnstile.leave();
  }
}

/** Who chooses, books and refuses. */
export interface WaitingDesk {
  /** The slot for that work, or -1. */
  choose(work: Work, nowMs: number): number;
  /** Somebody could take that work now; takes nothing, not even a turn. */
  canChoose(work: Work, nowMs: number): boolean;
  /** After a choice: nobody at all has room. */
  isFull(): boolean;
  send(slot: number, work: Work, lease: Lease, nowMs: number): Decision;
  refuse(reason: RefuseReason, nowMs: number): Decision;
}

/**
 * Entries that are looked at behind one that can not be served: its session's home is full, or nobody with
 * its labels has room. Where nobody at all has room the scan ends at the first.
 */
const SCAN_MAX = 1_000;
