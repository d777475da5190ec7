import type { Ending } from "../../core/tasks/ending.ts";
import type { RunTask } from "../protocol.ts";

/** Something that runs for a task. */
export interface Job {
  /** Ends it: gently first. Its end is told as always. */
  cancel(): void;
  /** Ends it at once, whatever it does; nothing is told. */
  kill(): void;
  /** Why it is believed to stand still; null while it is not. */
  frozen(): string | null;
}

/** Who is told of a job. `ended` exactly once, unless it was killed. */
export interface JobOwner {
  output(stream: "stdout" | "stderr", bytes: Buffer): void;
  ended(ending: Omit<Ending, "ranMs">, result: Uint8Array): void;
}

/** What each job gets. */
export interface JobSetup {
  readonly task: RunTask;
  readonly payload: Uint8Array;
  readonly owner: JobOwner;
  readonly resultBytesMax: number;
}

/** What tasks are told of themselves. */
export function taskEnvironment({ task, fence, attempt, name }: RunTask): Record<string, string> {
  return {
    EVENER_TASK_ID: task,
    EVENER_TASK_NAME: name,
    EVENER_ATTEMPT: String(attempt),
    EVENER_FENCE: String(fence),
  };
}

/** Of the agent's own environment only this goes on: secrets of the agent are not the tasks'. */
export function baseEnvironment(): Record<string, string> {
  const passed = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CUDA_VISIBLE_DEVICES",
  ];
  return Object.fromEntries(
    passed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** Between SIGTERM and SIGKILL. */
export const GRACE_MS: number = 5_000;
