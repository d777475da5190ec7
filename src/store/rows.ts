import {
  TASK_EVENT_KINDS,
  TASK_STATES,
  type TaskChange,
  type TaskEvent,
  type TaskRecord,
} from "../core/tasks/task.ts";
import { specOf, specText } from "./spec-text.ts";
import type { StoredEvent } from "./store.ts";

/** What stands in a column. */
export type Cell = string | number | null;

/** Columns of a record that change, by their names in {@link TaskChange}. */
export const COLUMNS: Readonly<Record<keyof TaskChange, string>> = {
  state: "state",
  attempt: "attempt",
  fence: "fence",
  crashes: "crashes",
  worker: "worker",
  boot: "boot",
  owner: "owner",
  readyAtMs: "ready_ms",
  startedAtMs: "started_ms",
  endedAtMs: "ended_ms",
  isCancelAsked: "cancel_asked",
  exitCode: "exit_code",
  reason: "reason",
};

/** All columns of a task, in the order of {@link rowOf}. */
export const TASK_COLUMNS: string =
  "id, state, attempt, fence, crashes, worker, boot, owner, submitted_ms, ready_ms, started_ms, ended_ms," +
  " cancel_asked, exit_code, reason, tenant, external_id, spec";

/** A record as cells. */
export function rowOf(task: TaskRecord): Cell[] {
  const { spec } = task;
  return [
    task.id,
    stateCode(task.state),
    task.attempt,
    task.fence,
    task.crashes,
    task.worker,
    task.boot,
    task.owner,
    Math.round(task.submittedAtMs),
    Math.round(task.readyAtMs),
    rounded(task.startedAtMs),
    rounded(task.endedAtMs),
    task.isCancelAsked ? 1 : 0,
    task.exitCode,
    task.reason,
    spec.tenant,
    spec.externalId,
    specText(spec),
  ];
}

/** A row of the table as a record. */
export function recordOf(row: Readonly<Record<string, unknown>>): TaskRecord {
  return {
    id: row.id as string,
    spec: specOf(row.spec as string),
    state: TASK_STATES[row.state as number]!,
    attempt: row.attempt as number,
    fence: row.fence as number,
    crashes: row.crashes as number,
    worker: row.worker as string | null,
    boot: row.boot as string | null,
    owner: row.owner as string | null,
    submittedAtMs: row.submitted_ms as number,
    readyAtMs: row.ready_ms as number,
    startedAtMs: row.started_ms as number | null,
    endedAtMs: row.ended_ms as number | null,
    isCancelAsked: row.cancel_asked === 1,
    exitCode: row.exit_code as number | null,
    reason: row.reason as string | null,
  };
}

/** What changes, as cells, in the order of the columns' names that come with it. */
export function cellsOf(change: TaskChange): {
  readonly names: readonly string[];
  readonly cells: readonly Cell[];
} {
  const names: string[] = [];
  const cells: Cell[] = [];
  for (const key in change) {
    const name = key as keyof TaskChange;
    const value = change[name];
    if (value === undefined) continue;
    names.push(COLUMNS[name]);
    if (name === "state") cells.push(stateCode(change.state!));
    else if (typeof value === "boolean") cells.push(value ? 1 : 0);
    else cells.push(name.endsWith("Ms") ? rounded(value as number | null) : value);
  }
  return { names, cells };
}

/** An event as cells: kind, at, attempt, fence, worker, detail. */
export function eventCells({ kind, atMs, attempt, fence, worker, detail }: TaskEvent): Cell[] {
  return [TASK_EVENT_KINDS.indexOf(kind), Math.round(atMs), attempt, fence, worker, detail];
}

/** A row of the table of events as an event. */
export function storedEventOf(row: Readonly<Record<string, unknown>>): StoredEvent {
  return {
    cursor: row.cursor as number,
    taskId: row.task_id as string,
    kind: TASK_EVENT_KINDS[row.kind as number]!,
    atMs: row.at_ms as number,
    attempt: row.attempt as number,
    fence: row.fence as number,
    worker: row.worker as string | null,
    detail: row.detail as string | null,
    evidence: (row.evidence as Uint8Array | null) ?? null,
  };
}

/** States are numbers in the file: their places in the list, which only grows at its end. */
export function stateCode(state: TaskRecord["state"]): number {
  return TASK_STATES.indexOf(state);
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
