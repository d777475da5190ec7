/**
 * What keeps the waiting of several threads in one order. Each thread has a queue of its own; the turnstile
 * knows who stands first in each of them, and lets one thread at a time choose where places are scarce.
 *
 * The order is one of numbers: an entry's `rank` is lower the earlier it is to be served.
 */
export interface Turnstile {
  /** Places are scarce, or somebody waits: choosing, and giving a place back, want `enter`. */
  readonly isNeeded: boolean;
  /** Work that waits, in all threads. */
  readonly length: number;
  /** Since when the longest wait lasts, in clock milliseconds; Infinity when nobody waits. */
  readonly oldestSinceMs: number;
  /** For the thread that keeps the limits: somebody has one. */
  noteScarcity(isScarce: boolean): void;
  /** One thread at a time; false when it could not be had: then nothing is scarce but time. */
  enter(): boolean;
  leave(): void;
  /** The place of a newcomer in the order, > 0. Within `enter`. */
  nextPlace(): number;
  /** What stands first in this thread's queue has changed. Within `enter`. */
  publish(queue: QueueFigures): void;
  /** Somebody of another thread stands before that rank, and may be served. */
  isBehind(rank: number): boolean;
  /** A place has become free, or more may be chosen: everybody may look again. */
  changed(): void;
  /** Number of the present state of things, for `hasLooked`. */
  look(): number;
  /**
   * This thread has looked at its queue, as things were at `look`: nobody in it before `rank` can be served
   * now; Infinity is nobody at all. Within `enter`.
   */
  hasLooked(look: number, rank: number): void;
  /** Calls the thread whose turn it is, if that is another one. */
  callNext(): void;
  /** Calls this thread, to serve its queue soon. */
  callSelf(): void;
}

/** What is known of one thread's queue. */
export interface QueueFigures {
  readonly length: number;
  /** The rank of the first entry; Infinity when there is none. */
  readonly firstRank: number;
  oldestSinceMs(): number;
}

/** The turnstile of a thread that is alone: never in the way. */
export class OpenTurnstile implements Turnstile {
  readonly isNeeded = false;
  #queue: QueueFigures | null = null;
  #places = 0;

  get length(): number {
    return this.#queue?.length ?? 0;
  }

  get oldestSinceMs(): number {
    return this.#queue?.oldestSinceMs() ?? Number.POSITIVE_INFINITY;
  }

  noteScarcity(): void {
    // Nobody else chooses.
  }

  enter(): boolean {
    return true;
  }

  leave(): void {
    // Nobody else is there.
  }

  nextPlace(): number {
    return ++this.#places;
  }

  publish(queue: QueueFigures): void {
    this.#queue = queue;
  }

  isBehind(): boolean {
    return false;
  }

  changed(): void {
    // Whoever waits is served by the same thread, at once.
  }

  look(): number {
    return 0;
  }

  hasLooked(): void {
    // Nobody else asks.
  }

  callNext(): void {
    // There is no other.
  }

  callSelf(): void {
    // What changes here is followed by serving.
  }
}
