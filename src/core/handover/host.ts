import type { Waiter } from "../admission/wait-queue.ts";
import type { Decision } from "../decision.ts";
import { Lease } from "../lease.ts";
import type { Pool } from "../pool.ts";
import { Work } from "../work.ts";
import { fromAsked } from "./asked-work.ts";
import { type Ask, type Claim, type GuestMessage, type HostMessage, threadOf } from "./messages.ts";

/**
 * The process that has taken over, to the one before it: books what that one has in flight, and decides in
 * its stead, at the pools of this process and in their queues. So limits, and the order of waiting, hold for
 * both together. If the guest dies, all that was booked for it is given back.
 *
 * Until all of its claims are known nothing is granted: places that are taken might be given twice.
 */
export class Host {
  readonly #poolOf: (name: string) => Pool | undefined;
  readonly #say: (message: HostMessage) => void;
  readonly #leases: Map<number, Hosted> = new Map();
  /** By thread, pool and id. */
  readonly #claims: Map<string, Lease[]> = new Map();
  /** Who asked before everything was known; null afterwards. */
  #early: Ask[] | null = [];
  /** Who could not be decided, as the order of waiting was not to be had just then. */
  #again: Hosted[] = [];

  constructor(poolOf: (name: string) => Pool | undefined, say: (message: HostMessage) => void) {
    this.#poolOf = poolOf;
    this.#say = say;
  }

  /** Leases and claims that are booked for the guest, and asks that wait. */
  get count(): number {
    let count = this.#leases.size + (this.#early?.length ?? 0);
    for (const leases of this.#claims.values()) count += leases.length;
    return count;
  }

  hear(message: GuestMessage): void {
    switch (message.kind) {
      case "claims":
        for (const claim of message.claims) this.#book(message.thread, claim);
        return;
      case "ended":
        this.#claims
          .get(keyOf(message.thread, message.pool, message.id))
          ?.pop()
          ?.settle("cancelled");
        return;
      case "died":
        return this.#bury(message.thread);
      case "ask":
        if (this.#early === null) this.#decide(message);
        else this.#early.push(message);
        return;
      case "left":
        return this.#leave(message.ticket);
      case "started":
        return this.#leases.get(message.ticket)?.lease.started();
      case "established":
        return this.#leases.get(message.ticket)?.lease.established();
      case "settled": {
        const hosted = this.#leases.get(message.ticket);
        this.#leases.delete(message.ticket);
        hosted?.lease.settle(message.outcome, message.detail);
      }
    }
  }

  /** All claims are known: those who waited in the guest's queue go first, in the order they had there. */
  open(): void {
    const early = this.#early ?? [];
    this.#early = null;
    const rankOf = ({ rank }: Ask): number => (rank === 0 ? Number.POSITIVE_INFINITY : rank);
    for (const ask of early.toSorted((a, b) => compare(rankOf(a), rankOf(b)))) this.#decide(ask);
  }

  /** To be called every 100 ms or so. */
  tend(): void {
    for (const hosted of this.#again.splice(0)) hosted.pick();
  }

  /** The guest is gone: nothing of it stays booked, nobody of it waits. */
  close(): void {
    this.#early = null;
    for (const ticket of this.#leases.keys()) this.#leave(ticket);
    for (const leases of this.#claims.values()) for (const lease of leases) lease.settle("cancelled");
    this.#claims.clear();
  }

  /** Those of endpoints that are not known here are nobody else's either. */
  #book(thread: number, { pool: name, id, requests, units }: Claim): void {
    const pool = this.#poolOf(name);
    if (pool === undefined) return;
    const leases: Lease[] = [];
    for (let i = 0; i < requests; i++) {
      const lease = new Lease();
      const share = Math.floor(units / requests) + (i < units % requests ? 1 : 0);
      if (pool.bookAt(id, share, lease, "policy")) leases.push(lease);
    }
    this.#claims.set(keyOf(thread, name, id), leases);
  }

  #decide({ ticket, pool: name, work }: Ask): void {
    const pool = this.#poolOf(name);
    if (pool === undefined) return this.#say({ kind: "unknown_pool", ticket, pool: name });
    const hosted = new Hosted(ticket, pool, (it, decision) => this.#decided(it, decision));
    fromAsked(work, pool.roster, hosted.work);
    this.#leases.set(ticket, hosted);
    hosted.pick();
  }

  #decided(hosted: Hosted, decision: Decision): void {
    const { ticket, lease, pool } = hosted;
    if (decision.kind === "send") {
      this.#say({ kind: "granted", ticket, id: lease.endpoint!.id, why: lease.why });
    } else if (decision.kind === "refuse") {
      const { reason, retryAfterMs } = decision;
      // There is a queue, and it was not let in: a lock was not to be had, which will be open soon.
      if (reason === "saturated" && pool.options.queue !== null) this.#again.push(hosted);
      else {
        this.#leases.delete(ticket);
        this.#say({ kind: "refused", ticket, reason, retryAfterMs });
      }
    }
  }

  #leave(ticket: number): void {
    this.#early = this.#early?.filter((ask) => ask.ticket !== ticket) ?? null;
    const hosted = this.#leases.get(ticket);
    if (hosted === undefined) return;
    this.#leases.delete(ticket);
    this.#again = this.#again.filter((it) => it !== hosted);
    if (!hosted.lease.settle("cancelled")) hosted.pool.leaveQueue(hosted.lease);
  }

  #bury(thread: number): void {
    this.#early = this.#early?.filter(({ ticket }) => threadOf(ticket) !== thread) ?? null;
    for (const ticket of this.#leases.keys()) if (threadOf(ticket) === thread) this.#leave(ticket);
    for (const [key, leases] of this.#claims) {
      if (!key.startsWith(`${thread} `)) continue;
      for (const lease of leases.splice(0)) lease.settle("cancelled");
    }
  }
}

/** One ask of the guest, from its decision to the end of its lease. */
class Hosted implements Waiter {
  readonly ticket: number;
  readonly pool: Pool;
  readonly work: Work = new Work();
  readonly lease: Lease = new Lease();
  readonly #onDecision: (hosted: Hosted, decision: Decision) => void;

  constructor(ticket: number, pool: Pool, onDecision: (hosted: Hosted, decision: Decision) => void) {
    this.ticket = ticket;
    this.pool = pool;
    this.#onDecision = onDecision;
  }

  pick(): void {
    this.decided(this.pool.pick(this.work, this.lease, this));
  }

  decided(decision: Decision): void {
    this.#onDecision(this, decision);
  }
}

function keyOf(thread: number, pool: string, id: string): string {
  return `${thread} ${pool} ${id}`;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
