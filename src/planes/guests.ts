import { GuestLine } from "../core/handover/guest-line.ts";
import { countOf, type GuestMessage, type HostMessage, threadOf } from "../core/handover/messages.ts";
import type { Pool } from "../core/pool.ts";
import type { ThreadHandle } from "./thread-handle.ts";
import type { AskAll } from "./thread-listeners.ts";

/** The desks of a plane as guests of the process that has taken over. */
export interface PlaneGuests {
  /**
   * From now on all leases are asked of the successor by `say`. Resolves when all threads have told it what
   * they have in flight.
   */
  begin(say: (message: GuestMessage) => void): Promise<void>;
  /** What the successor answers. */
  hear(message: HostMessage): void;
  /** The successor is gone: leases are given here again. */
  end(): Promise<void>;
}

/** Where the main thread carries the requests. */
export class LocalGuests implements PlaneGuests {
  readonly #pools: () => Iterable<Pool>;
  #line: GuestLine | null = null;

  constructor(pools: () => Iterable<Pool>) {
    this.#pools = pools;
  }

  begin(say: (message: GuestMessage) => void): Promise<void> {
    this.#line = new GuestLine(0, say);
    this.#line.begin(this.#pools());
    return Promise.resolve();
  }

  hear(message: HostMessage): void {
    this.#line?.hear(message);
  }

  end(): Promise<void> {
    this.#line?.end(this.#pools());
    this.#line = null;
    return Promise.resolve();
  }
}

/** Where data threads do: each asks for itself. */
export class ThreadGuests implements PlaneGuests {
  readonly #all: AskAll;
  readonly #find: (number: number) => ThreadHandle | undefined;
  #say: ((message: GuestMessage) => void) | null = null;
  /** Tickets that any thread has given out: who takes a dead one's place begins behind them. */
  #tickets = 0;

  constructor(all: AskAll, find: (number: number) => ThreadHandle | undefined) {
    this.#all = all;
    this.#find = find;
  }

  async begin(say: (message: GuestMessage) => void): Promise<void> {
    this.#say = say;
    await this.#all((thread) => this.#invite(thread));
  }

  hear(message: HostMessage): void {
    this.#find(threadOf(message.ticket))?.tellHost(message);
  }

  async end(): Promise<void> {
    this.#say = null;
    await this.#all((thread) => thread.ask({ do: "standAlone" }));
  }

  /** A thread has something to say. */
  pass(message: GuestMessage): void {
    if (message.kind === "ask") this.#tickets = Math.max(this.#tickets, countOf(message.ticket));
    this.#say?.(message);
  }

  /** A thread has died. */
  buried(thread: number): void {
    this.#say?.({ kind: "died", thread });
  }

  /** A thread is new: it is as the others are. Rejects as {@link ThreadHandle.ask} does. */
  async born(thread: ThreadHandle): Promise<void> {
    if (this.#say !== null) await this.#invite(thread);
  }

  #invite(thread: ThreadHandle): Promise<unknown> {
    return thread.ask({ do: "becomeGuest", ticketsBefore: this.#tickets });
  }
}
