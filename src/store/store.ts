import type { TaskEvent, TaskRecord, TaskState } from "../core/tasks/task.ts";
import type { Write, WriteOutcome } from "../core/tasks/write.ts";

/**
 * Durable state of tasks. The engine decides in memory; what it decides is a list of conditional writes, and
 * nothing is told to anybody before the store has said that it is durable. Rejections are EvenerError:
 * EVENER_STORE_FULL and EVENER_STORE_FAILED (nothing of this
 * commit was kept), EVENER_STORE_UNKNOWN (it was kept or not: read again).
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
  payloads(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
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
  /**
   * For a store that several processes share: `onNews` is called after commits of anybody, and whenever some
   * may have been missed. Ends with what it returns. Absent: nobody else writes.
   */
  watch?(onNews: () => void): () => void;
  /**
   * For a store that several processes share: the epoch in which this process leads, or null while another
   * one does. Leads on for 10 s; ask again in time. Absent: there is nobody else.
   */
  lead?(processId: string): Promise<number | null>;
  close(): Promise<void>;
}

/** An event with its place in the order of all. */
export interface StoredEvent extends TaskEvent {
  readonly cursor: number;
  readonly taskId: string;
  /** The result that came too late; null for all others. */
  readonly evidence: Uint8Array | null;
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
