import type { Chooser } from "../chooser.ts";
import { type Decision, type RefuseReason, WAIT_SATURATED } from "../decision.ts";
import type { Lease } from "../lease.ts";
import type { Work } from "../work.ts";
import { type QueueEntry, type QueueOptions, type Waiter, WaitQueue } from "./wait-queue.ts";

/** Where work waits for room, and who is given what has become free. */
export class WaitingRoom {
  readonly queue: WaitQueue = new WaitQueue();
  readonly #chooser: Chooser;
  readonly #desk: WaitingDesk;
  #isServing = false;

  constructor(chooser: Chooser, desk: WaitingDesk) {
    this.#chooser = chooser;
    this.#desk = desk;
  }

  /**
   * Whoever waits can not be served now (every change is followed by `serve`), so that a newcomer overtakes
   * nobody; except from within `serve`: then it stands behind.
   */
  get mustStandBehind(): boolean {
    return this.#isServing && this.queue.length > 0;
  }

  /** The work waits, or is refused because the queue is full. */
  admit(work: Work, lease: Lease, waiter: Waiter, options: QueueOptions, nowMs: number): Decision {
    if (this.queue.length >= options.requestsMax) return this.#desk.refuse("queue_full", nowMs);
    this.queue.push(work, lease, waiter, nowMs, nowMs + options.waitMs);
    return WAIT_SATURATED;
  }

  /** Gives what has become free to those who wait. Waiters may pick or settle while they are told. */
  serve(nowMs: number): void {
    if (this.#isServing || this.queue.length === 0) return;
    this.#isServing = true;
    try {
      this.#serveFrom(this.queue.first(), nowMs);
    } finally {
      this.#isServing = false;
    }
  }

  /** Refuses those who would have waited until `untilMs` at most. */
  refuse(reason: RefuseReason, untilMs: number, nowMs: number): void {
    for (;;) {
      const entry = this.queue.takeExpired(untilMs);
      if (entry === null) return;
      entry.waiter.decided(this.#desk.refuse(reason, nowMs));
    }
  }

  #serveFrom(first: QueueEntry | null, nowMs: number): void {
    let entry = first;
    let passed = 0;
    while (entry !== null && passed < SCAN_MAX) {
      const slot = this.#chooser.choose(entry.work, nowMs);
      if (slot < 0) {
        // Where nobody has room for work that may go anywhere, the others need not be tried.
        if (this.#chooser.isFull && entry.work.labels === null && entry.work.triedCount === 0) return;
        passed++;
        entry = this.queue.after(entry);
        continue;
      }
      this.queue.remove(entry);
      entry.waiter.decided(this.#desk.send(slot, entry.work, entry.lease, nowMs));
      entry = this.queue.first();
      passed = 0;
    }
  }
}

/** Who books and refuses: the pool. */
export interface WaitingDesk {
  send(slot: number, work: Work, lease: Lease, nowMs: number): Decision;
  refuse(reason: RefuseReason, nowMs: number): Decision;
}

/**
 * Entries that are looked at behind one that can not be served: its session's home is full, or nobody with
 * its labels has room. Where nobody at all has room the scan ends at the first.
 */
const SCAN_MAX = 1_000;
