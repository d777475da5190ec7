import type { Lease, LeaseId, Worker } from "./workers.ts";
import type { Write, WriteOutcome } from "./write.ts";

/**
 * What the engine asks of the world. Writes of one step may be committed together; `done` is called in a
 * later step, once the write is durable or has failed.
 */
export interface EngineLink {
  /** Unix time, ms: for records, never for durations. */
  wallMs(): number;
  commit(write: Write, done: (outcome: WriteOutcome, nowMs: number) => void): void;
  /** The lease is durable: the worker may begin. */
  run(worker: Worker, lease: Lease): void;
  cancel(worker: Worker, lease: LeaseId): void;
  /** Nothing was heard of it for too long: what speaks for it is to come again. */
  disconnect(worker: Worker): void;
  /** The result is durable, or evidence only: the worker may forget it. */
  kept(worker: Worker, lease: LeaseId, isStale: boolean): void;
}

/** Who is next and where, behind one seam: fair order, predictions and plan. */
export interface Turns {
  enqueue(task: Waiting): void;
  withdraw(id: string): void;
  /** How many wait, and since when the oldest does; for backpressure. */
  readonly size: number;
  /**
   * Calls `give` for each task that is to run now. `workers` are all, also those without a free place: some
   * are worth waiting for.
   */
  assign(workers: Iterable<Worker>, nowMs: number, give: (id: string, worker: Worker) => void): void;
  /** The best of these for a task that is to run now; null: none of them can. */
  choose(task: Waiting, workers: readonly Worker[], nowMs: number): Worker | null;
  /** Seconds expected on that worker. */
  predictS(key: string, worker: string): number;
  /** Seconds in which 95 of 100 of its key are done; NaN: unknown. */
  p95S(key: string, worker: string): number;
  began(task: Waiting, worker: string, nowMs: number): void;
  /** `isSample`: it ran to its end, so its time says how long such tasks take. */
  ended(task: Waiting, worker: string, ranMs: number, isSample: boolean): void;
}

/** A task as far as its turn is concerned. */
export interface Waiting {
  readonly id: string;
  readonly key: string;
  readonly tenant: string;
  readonly priority: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly affinity: readonly string[];
  /** Loop that it needs; "" for none. */
  readonly loop: string;
  /** By the engine's clock. */
  readonly sinceMs: number;
}
