import type { Cell } from "./rows.ts";
import type { Retention, TaskQuery } from "./store.ts";

/** A write as flat cells: what goes to the thread must be cheap to copy. */
export type PackedWrite =
  | {
      readonly do: "submit";
      readonly row: readonly Cell[];
      readonly payload: Uint8Array | null;
      readonly event: readonly Cell[];
      /** Null: without an idempotency key. */
      readonly key: string | null;
      readonly keyUntilMs: number;
    }
  | {
      readonly do: "change";
      readonly id: string;
      readonly states: readonly number[];
      readonly fence: number | null;
      readonly names: readonly string[];
      readonly cells: readonly Cell[];
      readonly event: readonly Cell[];
      readonly result?: Uint8Array | null;
    }
  | {
      readonly do: "note";
      readonly id: string;
      readonly event: readonly Cell[];
      readonly evidence: Uint8Array | null;
    }
  | { readonly do: "remember"; readonly name: string; readonly bytes: Uint8Array };

/** What became of it: the cursor of its event (0: none), or what stood against it. */
export type PackedOutcome = number | { readonly duplicate: string } | { readonly stale: Row | null };

/** A row of a table, as SQLite gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** What the thread is asked. */
export type Question =
  | { readonly ask: "commit"; readonly writes: readonly PackedWrite[] }
  | { readonly ask: "unfinished"; readonly afterId: string; readonly recordsMax: number }
  | { readonly ask: "task"; readonly id: string }
  | { readonly ask: "find"; readonly query: TaskQuery }
  | { readonly ask: "payloads"; readonly ids: readonly string[] }
  | { readonly ask: "result"; readonly id: string }
  | {
      readonly ask: "events";
      readonly cursor: number;
      readonly eventsMax: number;
      readonly taskId: string | null;
    }
  | { readonly ask: "lastCursor" }
  | { readonly ask: "memory"; readonly name: string }
  | { readonly ask: "prune"; readonly bounds: Retention }
  | { readonly ask: "close" };

/** With a number, by which its answer is known. */
export interface Asked {
  readonly number: number;
  readonly question: Question;
}

/** What comes back. `errcode`: SQLite's own. */
export type Answered =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly message: string; readonly errcode: number };

/** The first message of the thread. */
export type Opened = { readonly opened: true } | { readonly opened: false; readonly message: string };
