import type { Waiter } from "../admission/wait-queue.ts";
import type { Decision, RefuseReason } from "../decision.ts";
import type { Lease, Outcome, OutcomeDetail, PickReason } from "../lease.ts";
import type { Roster } from "../roster.ts";
import type { Work } from "../work.ts";
import { toAsked } from "./asked-work.ts";
import { type Claim, type GuestMessage, type HostMessage, ticketOf } from "./messages.ts";

/**
 * The desks of one thread as guests of the process that has taken over: whoever wants a lease waits here
 * until the host has answered. What is granted is booked here as well, so that the desks can go on by
 * themselves at any time, should the host die.
 */
export class GuestLine {
  readonly #thread: number;
  readonly #say: (message: GuestMessage) => void;
  #tickets: number;
  /** By ticket, in the order of asking. */
  readonly #asks: Map<number, Asking> = new Map();
  readonly #asked: Map<Lease, Asking> = new Map();
  /** Tickets of the leases that the host has granted. */
  readonly #granted: Map<Lease, number> = new Map();

  /**
   * `thread`: 0..63, the number of this thread; `ticketsBefore`: so many tickets were given out under this
   * number before, by a thread that is dead: late answers to them are not for this one.
   */
  constructor(thread: number, say: (message: GuestMessage) => void, ticketsBefore = 0) {
    this.#thread = thread;
    this.#say = say;
    this.#tickets = ticketsBefore;
  }

  /** Every one of these desks asks from now on, in one step with telling what is in flight. */
  begin(desks: Iterable<GuestDesk>): void {
    const all = [...desks];
    const claims = all.flatMap((desk) => desk.claims());
    this.#say({ kind: "claims", thread: this.#thread, claims });
    for (const desk of all) desk.becomeGuest(this);
  }

  /** The waiter is told later, once. */
  ask(asking: Omit<Asking, "ticket">): void {
    this.#send({ ...asking, ticket: 0 }, []);
  }

  /** The work no longer waits; false when it did not. */
  leave(lease: Lease): boolean {
    const asking = this.#asked.get(lease);
    if (asking === undefined) return false;
    this.#forget(asking);
    this.#say({ kind: "left", ticket: asking.ticket });
    return true;
  }

  started(lease: Lease): void {
    const ticket = this.#granted.get(lease);
    if (ticket !== undefined) this.#say({ kind: "started", ticket });
  }

  established(lease: Lease): void {
    const ticket = this.#granted.get(lease);
    if (ticket !== undefined) this.#say({ kind: "established", ticket });
  }

  settled(pool: string, lease: Lease, outcome: Outcome, detail: OutcomeDetail): void {
    const ticket = this.#granted.get(lease);
    this.#granted.delete(lease);
    if (ticket !== undefined) this.#say({ kind: "settled", ticket, outcome, detail });
    else this.#say({ kind: "ended", thread: this.#thread, pool, id: lease.endpoint!.id });
  }

  hear(message: HostMessage): void {
    const asking = this.#asks.get(message.ticket);
    // He has left meanwhile, and the host knows it by now or will soon.
    if (asking === undefined) return;
    this.#forget(asking);
    if (message.kind === "granted") return this.#grant(asking, message.id, message.why);
    if (message.kind === "unknown_pool") return this.#release(asking.desk, asking);
    const { reason, retryAfterMs } = message;
    asking.waiter.decided({ kind: "refuse", reason, retryAfterMs });
  }

  /** Refuses those of `desk` who have waited long enough. */
  tend(desk: GuestDesk, nowMs: number): void {
    for (const asking of this.#asks.values()) {
      if (asking.desk !== desk || asking.deadlineMs > nowMs) continue;
      this.leave(asking.lease);
      asking.waiter.decided(desk.refusal("queue_timeout", nowMs));
    }
  }

  /** The host is gone: the desks decide by themselves again, in the order of asking. */
  end(desks: Iterable<GuestDesk>): void {
    for (const desk of desks) desk.standAlone();
    for (const asking of this.#asks.values()) this.#decideAlone(asking);
    this.#granted.clear();
  }

  #send(asking: Asking, avoided: readonly string[]): void {
    const ticket = ticketOf(this.#thread, ++this.#tickets);
    const now: Asking = { ...asking, ticket, avoided };
    this.#asks.set(ticket, now);
    this.#asked.set(asking.lease, now);
    const { desk, rank } = asking;
    const work = toAsked(asking.work, desk.roster, avoided);
    this.#say({ kind: "ask", ticket, pool: desk.name, rank, work });
  }

  #grant(asking: Asking, id: string, why: PickReason): void {
    const { desk, work, lease, waiter, ticket, avoided = [] } = asking;
    if (desk.bookAt(id, work.units, lease, why)) {
      this.#granted.set(lease, ticket);
      return waiter.decided(lease);
    }
    // The host goes by a newer configuration, and knows an endpoint that can not be reached from here.
    this.#say({ kind: "left", ticket });
    this.#send(asking, [...avoided, id]);
  }

  /** The host has no such pool: nobody shares its limits. */
  #release(desk: GuestDesk, first: Asking): void {
    desk.standAlone();
    this.#decideAlone(first);
    for (const asking of this.#asks.values()) if (asking.desk === desk) this.#decideAlone(asking);
  }

  #decideAlone(asking: Asking): void {
    this.#forget(asking);
    const { desk, work, lease, waiter } = asking;
    const decision = desk.pick(work, lease, waiter);
    if (decision.kind !== "wait") waiter.decided(decision);
  }

  #forget({ ticket, lease }: Asking): void {
    this.#asks.delete(ticket);
    this.#asked.delete(lease);
  }
}

/** A desk that may be a guest. */
export interface GuestDesk {
  readonly name: string;
  readonly roster: Roster;
  /** What this thread has in flight at this desk. */
  claims(): Claim[];
  becomeGuest(line: GuestLine): void;
  standAlone(): void;
  /** Books a lease there, whatever limits say; false when there is no such endpoint. */
  bookAt(id: string, units: number, lease: Lease, why: PickReason): boolean;
  pick(work: Work, lease: Lease, waiter: Waiter | null): Decision;
  refusal(reason: RefuseReason, nowMs: number): Decision;
}

/** Somebody who waits for the host's answer. */
export interface Asking {
  readonly desk: GuestDesk;
  readonly work: Work;
  readonly lease: Lease;
  readonly waiter: Waiter;
  /** In this process's queue until now; 0 for who has just come. */
  readonly rank: number;
  /** Clock milliseconds. */
  readonly deadlineMs: number;
  readonly ticket: number;
  /** Endpoints that the host has named and that are not known here. */
  readonly avoided?: readonly string[];
}
