import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { cellsOf, eventCells, recordOf, rowOf, stateCode, TASK_COLUMNS, type Cell } from "./rows.ts";

/** A write as the server's function reads it; its bytes apart, as JSON has none. */
interface PostgresWrite {
  readonly json: Readonly<Record<string, unknown>>;
  readonly bytes: Uint8Array | null;
}

/** What the function answers. `base`: the cursor before the first event of this commit. */
export interface PostgresAnswer {
  readonly base: number;
  readonly outcomes: readonly (number | { duplicate: string } | { stale: Record<string, unknown> | null })[];
}

function postgresWrite(write: Write): PostgresWrite {
  switch (write.do) {
    case "submit": {
      const { task, payload, keyKeptMs } = write;
      const { idempotencyKey, tenant } = task.spec;
      const key = idempotencyKey === null ? null : clean(`${tenant}\n${idempotencyKey}`);
      const keyUntilMs = Math.round(task.submittedAtMs + keyKeptMs);
      const row = named(COLUMN_NAMES, rowOf(task));
      const event = eventCells(write.event).map(clean);
      return { json: { do: "submit", id: task.id, row, key, keyUntilMs, event }, bytes: payload };
    }
    case "change": {
      const { id, ifState, ifFence: fence, ifEpoch: epoch, result } = write;
      const { names, cells } = cellsOf(write.change);
      // Somebody else may be taking it at this moment: whoever comes second does not wait to hear so.
      const claim = write.change.state === "leased" && ifState.every((state) => state === "queued");
      const change = named(names, cells);
      const event = eventCells(write.event).map(clean);
      const condition = { states: ifState.map(stateCode), fence, epoch, claim };
      const json = { do: "change", id, ...condition, change, event, isResultGone: result === null };
      return { json, bytes: result ?? null };
    }
    case "note":
      return {
        json: { do: "note", id: write.id, event: eventCells(write.event).map(clean) },
        bytes: write.evidence ?? null,
      };
    case "remember":
      return { json: { do: "remember", name: clean(write.name) }, bytes: write.bytes };
  }
}

/** What the function takes: the writes as JSON, and all their bytes, which they name by their place. */
export function postgresArguments(writes: readonly Write[]): [string, Buffer[]] {
  const all: Buffer[] = [];
  const list = writes.map((write) => {
    const { json, bytes } = postgresWrite(write);
    if (bytes === null) return json;
    all.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return { ...json, bytes: all.length };
  });
  return [JSON.stringify(list), all];
}

/** The outcomes, one a write. */
export function postgresOutcomes({ base, outcomes }: PostgresAnswer): WriteOutcome[] {
  return outcomes.map((outcome) => {
    if (typeof outcome === "number") return { kind: "done", cursor: outcome === 0 ? 0 : base + outcome };
    if ("duplicate" in outcome) return { kind: "duplicate", id: outcome.duplicate };
    return { kind: "stale", record: outcome.stale === null ? null : recordOf(outcome.stale) };
  });
}

/** PostgreSQL's texts have no NUL and no half of a surrogate pair: one such would fail the whole commit. */
export function clean<T extends Cell>(cell: T): T {
  return typeof cell === "string" ? (cell.toWellFormed().replaceAll("\0", "\uFFFD") as T) : cell;
}

function named(names: readonly string[], cells: readonly Cell[]): Record<string, Cell> {
  return Object.fromEntries(names.map((name, i) => [name, clean(cells[i]!)]));
}

const COLUMN_NAMES = TASK_COLUMNS.split(/,\s*/);
