import type { Decision } from "../decision.ts";
import type { Lease } from "../lease.ts";
import type { QueueFigures } from "../sharing/turnstile.ts";
import { WORK_CLASSES, type Work } from "../work.ts";

/** Whoever waits is told once: sent, or refused. */
export interface Waiter {
  decided(decision: Decision): void;
}

/** A place in the queue. */
export interface QueueEntry {
  readonly work: Work;
  readonly lease: Lease;
  readonly waiter: Waiter;
  /** In the order of all threads; see {@link rankOf}. */
  readonly rank: number;
  readonly sinceMs: number;
  deadlineMs: number;
  previous: QueueEntry | null;
  next: QueueEntry | null;
  isQueued: boolean;
}

/** Who comes to wait. */
export type Newcomer = Pick<QueueEntry, "work" | "lease" | "waiter" | "rank" | "sinceMs" | "deadlineMs">;

/** How much waiting there may be. */
export interface QueueOptions {
  /** Requests that may wait at once; >= 1. */
  readonly requestsMax: number;
  /** Longest wait. */
  readonly waitMs: number;
}

/**
 * Work that waits for room: first in, first out within a class, higher classes first. Entries leave from
 * anywhere in O(1) (their client has gone), so that no count leaks (P24).
 */
export class WaitQueue implements QueueFigures {
  readonly #lines: readonly Line[] = WORK_CLASSES.map(() => ({ head: null, tail: null }));
  readonly #entries: Map<Lease, QueueEntry> = new Map();
  length = 0;

  push(newcomer: Newcomer): QueueEntry {
    const line = this.#lines[newcomer.work.classIndex]!;
    const entry: QueueEntry = { ...newcomer, previous: line.tail, next: null, isQueued: true };
    if (line.tail === null) line.head = entry;
    else line.tail.next = entry;
    line.tail = entry;
    this.length++;
    this.#entries.set(entry.lease, entry);
    return entry;
  }

  /** Takes the entry out; false when it was not in. */
  remove(entry: QueueEntry): boolean {
    if (!entry.isQueued) return false;
    const line = this.#lines[entry.work.classIndex]!;
    if (entry.previous === null) line.head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === null) line.tail = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = null;
    entry.next = null;
    entry.isQueued = false;
    this.#entries.delete(entry.lease);
    this.length--;
    return true;
  }

  /** Takes the entry of that lease out; false when it has none. */
  removeLease(lease: Lease): boolean {
    const entry = this.#entries.get(lease);
    return entry !== undefined && this.remove(entry);
  }

  get firstRank(): number {
    return this.first()?.rank ?? Number.POSITIVE_INFINITY;
  }

  /** The first entry of all, or null. */
  first(): QueueEntry | null {
    for (const line of this.#lines) if (line.head !== null) return line.head;
    return null;
  }

  /** The entry that comes after this one, over the classes, or null. */
  after(entry: QueueEntry): QueueEntry | null {
    if (entry.next !== null) return entry.next;
    for (let i = entry.work.classIndex + 1; i < this.#lines.length; i++) {
      const head = this.#lines[i]!.head;
      if (head !== null) return head;
    }
    return null;
  }

  /** Takes out and returns one entry whose time is up, or null. */
  takeExpired(nowMs: number): QueueEntry | null {
    for (const line of this.#lines) {
      const head = line.head;
      if (head !== null && head.deadlineMs <= nowMs) {
        this.remove(head);
        return head;
      }
    }
    return null;
  }

  /** Nobody waits longer than `waitMs` from now on, whatever he was promised. */
  limitWait(waitMs: number): void {
    for (const entry of this.#entries.values()) {
      entry.deadlineMs = Math.min(entry.deadlineMs, entry.sinceMs + waitMs);
    }
  }

  /** Since when the longest wait lasts, in clock milliseconds; Infinity when nobody waits. */
  oldestSinceMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const line of this.#lines) if (line.head !== null) oldest = Math.min(oldest, line.head.sinceMs);
    return oldest;
  }
}

/** Higher classes first, then by place: the lower number is served first. Places are below 2^50. */
export function rankOf(classIndex: number, place: number): number {
  return classIndex * PLACES + place;
}

const PLACES = 2 ** 50;

interface Line {
  head: QueueEntry | null;
  tail: QueueEntry | null;
}
