import type { TaskChange, TaskEvent, TaskRecord, TaskState } from "./task.ts";

/** One conditional write: what the engine decides becomes one, and is told to nobody before it is durable. */
export type Write =
  | {
      readonly do: "submit";
      readonly task: TaskRecord;
      readonly payload: Uint8Array | null;
      readonly event: TaskEvent;
      /** An idempotency key is taken for this long, ms; then it may be used again. */
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
  /** Changes nothing: a result that came too late, kept as `evidence`. */
  | {
      readonly do: "note";
      readonly id: string;
      readonly event: TaskEvent;
      readonly evidence?: Uint8Array | null;
    }
  | { readonly do: "remember"; readonly name: string; readonly bytes: Uint8Array };

/** What became of a write. */
export type WriteOutcome =
  /** `cursor`: of its event; 0 for `remember`. */
  | { readonly kind: "done"; readonly cursor: number }
  /** Its idempotency key, or its own id, belongs to that task already: nothing was submitted. */
  | { readonly kind: "duplicate"; readonly id: string }
  /** The condition did not hold; how it is. Null: there is no such task. */
  | { readonly kind: "stale"; readonly record: TaskRecord | null }
  /** The store could not write: nothing was kept. */
  | { readonly kind: "failed"; readonly isFull: boolean };
