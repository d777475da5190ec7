import type { OutcomeDetail, Outcome, PickReason } from "../lease.ts";
import type { RefuseReason } from "../decision.ts";

/**
 * What a process that another one has taken over from (the guest) says to that one (the host): of every lease
 * that it has or wants, so that limits hold in the sum of both. A ticket names a lease: see {@link threadOf}.
 */
export type GuestMessage =
  /** What one thread has in flight. It books nothing by itself any more. */
  | { readonly kind: "claims"; readonly thread: number; readonly claims: readonly Claim[] }
  /** One piece of work of a claim has ended. */
  | { readonly kind: "ended"; readonly thread: number; readonly pool: string; readonly id: string }
  /** That thread is dead: what it had or asked for has ended with it. */
  | { readonly kind: "died"; readonly thread: number }
  | Ask
  /** Nobody waits for the answer any more; a lease that was granted meanwhile is given back. */
  | { readonly kind: "left"; readonly ticket: number }
  | { readonly kind: "started"; readonly ticket: number }
  | { readonly kind: "established"; readonly ticket: number }
  | {
      readonly kind: "settled";
      readonly ticket: number;
      readonly outcome: Outcome;
      readonly detail: OutcomeDetail;
    };

/** What the host answers to an {@link Ask}: one of these, once. */
export type HostMessage =
  | { readonly kind: "granted"; readonly ticket: number; readonly id: string; readonly why: PickReason }
  | {
      readonly kind: "refused";
      readonly ticket: number;
      readonly reason: RefuseReason;
      /** Milliseconds. */
      readonly retryAfterMs: number;
    }
  /** The host has no such pool: the guest may use it as it likes. */
  | { readonly kind: "unknown_pool"; readonly ticket: number; readonly pool: string };

/** Work that has no endpoint yet. */
export interface Ask {
  readonly kind: "ask";
  readonly ticket: number;
  readonly pool: string;
  /** In the guest's queue until now; 0 for work that has just come. */
  readonly rank: number;
  readonly work: AskedWork;
}

/** Work as plain data: endpoints by their ids, as slots are another process's. */
export interface AskedWork {
  readonly key: number;
  readonly sessionKey: number;
  /** The endpoint that its session names; null is none. */
  readonly sessionId: string | null;
  readonly units: number;
  readonly classIndex: number;
  readonly isReplayable: boolean;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly tried: readonly string[];
}

/** What is in flight on one endpoint. */
export interface Claim {
  readonly pool: string;
  readonly id: string;
  readonly requests: number;
  /** Units of work of all of them. */
  readonly units: number;
}

/** Ticket number `count` of that thread. */
export function ticketOf(thread: number, count: number): number {
  return count * THREADS_MAX + thread;
}

/** The thread (0..63) that has the ticket. */
export function threadOf(ticket: number): number {
  return ticket % THREADS_MAX;
}

/** How many tickets that thread had given out by then, this one included. */
export function countOf(ticket: number): number {
  return Math.floor(ticket / THREADS_MAX);
}

const THREADS_MAX = 64;
