import type { TaskChange, TaskEvent, TaskRecord, TaskState } from "../core/tasks/task.ts";

/**
 * Durable state of tasks. The engine decides in memory; what it decides is a list of conditional writes, and
 * nothing is told to anybody before the store has said that it is durable. Rejections are EvenerError:
 * EVENER_STORE_FULL (no room: nothing of this commit was kept), EVENER_STORE_FAILED.
 */
export interface TaskStore {
  /** `sqlite:evener.db`, for logs. */
  readonly name: string;
  /**
   * Writes all of these in one transaction, each under its own condition, and resolves when it is durable:
   * one outcome a write, in their order. Commits that arrive while one is on its way go together into the
   * next: no timer.
   */
  commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]>;
  /** Everything that has not ended, oldest first, in pages; what a process needs to begin. */
  unfinished(afterId: string | null, recordsMax: number): Promise<readonly TaskRecord[]>;
  task(id: string): Promise<TaskRecord | null>;
  find(query: TaskQuery): Promise<readonly TaskRecord[]>;
  payload(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  result(id: string): Promise<Uint8Array | null>;
  /** Events behind `cursor` in the order in which they became durable; never one behind a gap. */
  events(cursor: number, eventsMax: number, taskId?: string): Promise<readonly StoredEvent[]>;
  /** The newest cursor. */
  lastCursor(): Promise<number>;
  /** What was learned and is to survive restarts, by name: durations, speeds. */
  memory(name: string): Promise<Uint8Array | null>;
  /**
   * Removes ended tasks and their events beyond these bounds, oldest first, a bounded number a call; returns
   * how many.
   */
  prune(bounds: Retention): Promise<number>;
  close(): Promise<void>;
}

/** One conditional write. */
export type Write =
  | {
      readonly do: "submit";
      readonly task: TaskRecord;
      readonly payload: Uint8Array | null;
      readonly event: TaskEvent;
      /** A key is taken for this long, ms; then it may be used again. */
      readonly keyKeptMs: number;
    }
  | {
      readonly do: "change";
      readonly id: string;
      /** Applied only where the record is in one of these states and, if given, has this fence. */
      readonly ifState: readonly TaskState[];
      readonly ifFence: number | null;
      /** Several processes: applied only while this epoch leads; null: whoever holds the fence may. */
      readonly ifEpoch: number | null;
      readonly change: TaskChange;
      /** Kept in place of the one before; absent: stays. */
      readonly result?: Uint8Array | null;
      readonly event: TaskEvent;
    }
  /** Evidence that changes nothing, such as a late result. */
  | { readonly do: "note"; readonly id: string; readonly event: TaskEvent }
  | { readonly do: "remember"; readonly name: string; readonly bytes: Uint8Array };

export type WriteOutcome =
  /** `cursor`: of its event; 0 for `remember`. */
  | { readonly kind: "done"; readonly cursor: number }
  /** The idempotency key belongs to that task: nothing was submitted. */
  | { readonly kind: "duplicate"; readonly id: string }
  /** The condition did not hold; how it is. Null: there is no such task. */
  | { readonly kind: "stale"; readonly record: TaskRecord | null };

/** An event with its place in the order of all. */
export interface StoredEvent extends TaskEvent {
  readonly cursor: number;
  readonly taskId: string;
}

/** All that are given must hold. Newest first. */
export interface TaskQuery {
  readonly externalId?: string;
  readonly state?: TaskState;
  readonly tenant?: string;
  /** Older than this one (its id): the next page. */
  readonly beforeId?: string;
  readonly recordsMax: number;
}

/** How much of what has ended is kept. */
export interface Retention {
  readonly endedTasksMax: number;
  readonly endedAgeMaxMs: number;
  readonly nowMs: number;
}
