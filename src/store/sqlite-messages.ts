import type { Cell } from "./rows.ts";
import type { Retention, TaskQuery } from "./store.ts";

/** Bytes of a write in the one piece that goes with its commit: where they begin, how many they are. */
export type Piece = readonly [from: number, count: number];

/** A write as flat cells. */
export type PackedWrite =
  | {
      readonly do: "submit";
      /** Without the spec. */
      readonly row: readonly Cell[];
      readonly spec: string;
      readonly payload: Piece | null;
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
      readonly result?: Piece | null;
    }
  | {
      readonly do: "note";
      readonly id: string;
      readonly event: readonly Cell[];
      readonly evidence: Piece | null;
    }
  | { readonly do: "remember"; readonly name: string; readonly bytes: Piece };

/** One string and one piece of bytes are cheap to pass, many objects are not. */
export interface PackedCommit {
  /** {@link PackedWrite}s. */
  readonly json: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What became of it: the cursor of its event (0: none), or what stood against it. */
export type PackedOutcome = number | { readonly duplicate: string } | { readonly stale: Row | null };

/** A row of a table, as SQLite gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** What the thread is asked. */
export type Question =
  | { readonly ask: "commit"; readonly commits: readonly PackedCommit[] }
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
