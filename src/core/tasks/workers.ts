import { giveBack, take } from "./resources.ts";
import type { Resources } from "./task.ts";

/** What names a lease. */
export interface LeaseId {
  readonly task: string;
  readonly fence: number;
}

/** A task on a worker, under a fence. */
export interface Lease extends LeaseId {
  readonly worker: Worker;
  readonly resources: Resources;
  /** By the engine's clock. */
  readonly sinceMs: number;
  /** How long it is expected to run there. */
  readonly predictedMs: number;
  readonly isCopy: boolean;
  /** The connection that it was sent over; null: not yet. */
  sentOver: object | null;
  /** Its agent has said that its process stands still. */
  isFrozen: boolean;
  /** Given up before it was sent: it is not to be sent any more. */
  isVoid: boolean;
}

/** What an agent says of itself when it comes. */
export interface WorkerFacts {
  readonly worker: string;
  readonly boot: string;
  readonly slots: number;
  readonly resources: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly loops: readonly string[];
}

/** A worker, by its name; it stays while it has leases, also when nobody is connected. */
export class Worker {
  readonly name: string;
  facts: WorkerFacts;
  /** The connection that speaks for it; null: nobody does, nothing new goes there. */
  connection: object | null = null;
  /** Last sign of life, by the engine's clock. */
  seenMs: number;
  isDraining = false;
  /** It has refused: nothing goes there before. */
  pausedUntilMs = 0;
  readonly leases: Map<string, Lease> = new Map();
  readonly used: Record<string, number> = {};
  /** Affinity keys of what it has run, the last ones. */
  readonly affinities: Set<string> = new Set();

  constructor(facts: WorkerFacts, nowMs: number) {
    this.name = facts.worker;
    this.facts = facts;
    this.seenMs = nowMs;
  }

  get freeSlots(): number {
    return this.facts.slots - this.leases.size;
  }

  /** Something new may go there now. */
  takesWork(nowMs: number): boolean {
    return this.connection !== null && !this.isDraining && this.freeSlots > 0 && nowMs >= this.pausedUntilMs;
  }

  /** Somebody speaks for it from now on. */
  meet(facts: WorkerFacts, connection: object, nowMs: number): void {
    this.facts = facts;
    this.connection = connection;
    this.seenMs = nowMs;
    this.isDraining = false;
  }

  book(lease: Lease): void {
    this.leases.set(leaseKey(lease), lease);
    take(this.used, lease.resources);
  }

  /** It has run something with these keys: what comes with them finds it warm. */
  remember(affinity: readonly string[]): void {
    for (const key of affinity) {
      this.affinities.delete(key);
      this.affinities.add(key);
      if (this.affinities.size > AFFINITIES_MAX) this.affinities.delete(this.affinities.keys().next().value!);
    }
  }

  unbook(lease: Lease): void {
    if (this.leases.delete(leaseKey(lease))) giveBack(this.used, lease.resources);
  }
}

const AFFINITIES_MAX = 64;

/** One name for a lease. */
export function leaseKey({ task, fence }: LeaseId): string {
  return `${task}#${fence}`;
}
