// Writes as the tests of stores make them.
import type { TaskRecord, TaskState } from "../../src/core/tasks/task.ts";
import type { Write } from "../../src/core/tasks/write.ts";
import { eventAt } from "../fixtures/tasks.ts";

/** For so long idempotency keys are taken. */
export const DAY_MS = 86_400_000;

/** Submits a task with its event. */
export function submit(task: TaskRecord, payload: Uint8Array | null = null): Write {
  return { do: "submit", task, payload, event: eventAt("submitted", task.submittedAtMs), keyKeptMs: DAY_MS };
}

/** Changes a task that is in one of these states. */
export function change(
  id: string,
  from: TaskState[],
  to: Partial<TaskRecord>,
  fence: number | null = null,
): Write {
  const { id: _id, spec: _spec, submittedAtMs: _at, ...rest } = to as TaskRecord;
  return {
    do: "change",
    id,
    ifState: from,
    ifFence: fence,
    ifEpoch: null,
    change: rest,
    event: eventAt("ready"),
  };
}
