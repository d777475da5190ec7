import type { Random } from "../kit/random.ts";
import type { EndState, TaskChange, TaskEvent, TaskEventKind, TaskRecord, TaskState } from "./task.ts";

/**
 * How an attempt ended on its worker.
 *
 * `ok`; `error`: the task failed (exit code, exception); `cancelled`; `overtime`: its run-time limit;
 * `refused`: never begun, may be sent elsewhere; `killed`: its process died of something that nobody asked
 * for.
 */
export const ENDING_OUTCOMES = ["ok", "error", "cancelled", "overtime", "refused", "killed"] as const;
export type EndingOutcome = (typeof ENDING_OUTCOMES)[number];

/** What the worker says of it. */
export interface Ending {
  readonly outcome: EndingOutcome;
  readonly exitCode: number | null;
  /** In words; null where all went well. */
  readonly reason: string | null;
  /** Milliseconds that it ran, by the worker's clock. */
  readonly ranMs: number;
}

/** What becomes of the task: the change, and the event that tells it. */
export interface Verdict {
  readonly change: TaskChange & { readonly state: TaskState };
  readonly event: TaskEvent;
}

/** Workers that may be lost with a task before it is put aside: it may be what kills them. */
export const CRASHES_MAX = 3;

/**
 * What follows from an ending under the current fence. Retries as the task asks, with full jitter (AWS,
 * "Exponential Backoff And Jitter", 2015); what was never begun or is nobody's fault costs no attempt.
 */
export function afterEnding(task: TaskRecord, ending: Ending, nowMs: number, random: Random): Verdict {
  const { outcome, exitCode, reason } = ending;
  if (outcome === "ok") return over(task, "succeeded", nowMs, null, exitCode);
  if (outcome === "refused" && !task.isCancelAsked) return again(task, "ready", nowMs, reason ?? "refused");
  if (task.isCancelAsked) return over(task, "cancelled", nowMs, reason ?? "cancelled by its owner", exitCode);
  if (outcome === "killed" && task.spec.isIdempotent) return afterLoss(task, reason ?? "killed", nowMs);
  const why = reason ?? (exitCode === null ? outcome : `exit code ${exitCode}`);
  if (task.attempt > task.spec.retry.max) return over(task, "failed", nowMs, why, exitCode);
  const readyAtMs = nowMs + backoffMs(task, random);
  const change = { state: "delayed" as const, readyAtMs, exitCode, reason: why };
  return { change, event: eventOf(task, "attempt_failed", nowMs, why) };
}

/**
 * Its worker, or the process that ran it, is gone for good. An idempotent one goes on elsewhere, as often as
 * {@link CRASHES_MAX} allows; another has an owner who must decide.
 */
export function afterLoss(task: TaskRecord, why: string, nowMs: number): Verdict {
  const crashes = task.crashes + 1;
  const verdict = ((): Verdict => {
    if (task.isCancelAsked) return over(task, "cancelled", nowMs, why);
    if (!task.spec.isIdempotent) return over(task, "worker_lost", nowMs, why);
    if (crashes >= CRASHES_MAX) {
      return over(task, "quarantined", nowMs, `${crashes} workers were lost with it; the last: ${why}`);
    }
    return again(task, "attempt_lost", nowMs, why);
  })();
  return { ...verdict, change: { ...verdict.change, crashes } };
}

/** Its lease ran out and nobody knows whether it runs: an idempotent one goes on elsewhere, another waits. */
export function afterSilence(task: TaskRecord, why: string, nowMs: number): Verdict {
  if (task.spec.isIdempotent || task.isCancelAsked) return afterLoss(task, why, nowMs);
  return { change: { state: "suspect", reason: why }, event: eventOf(task, "suspect", nowMs, why) };
}

/** It was sent and has provably not been begun: as if it had not been sent. */
export function neverBegun(task: TaskRecord, why: string, nowMs: number): Verdict {
  if (task.isCancelAsked) return over(task, "cancelled", nowMs, why);
  return again(task, "ready", nowMs, why);
}

/** The end of it. */
export function over(
  task: TaskRecord,
  state: EndState,
  nowMs: number,
  reason: string | null,
  exitCode: number | null = null,
): Verdict {
  return {
    change: { state, endedAtMs: nowMs, exitCode, reason },
    event: eventOf(task, state, nowMs, reason),
  };
}

/** Back in the queue; the attempt does not count. */
function again(task: TaskRecord, kind: TaskEventKind, nowMs: number, reason: string): Verdict {
  const attempt = Math.max(0, task.attempt - 1);
  return {
    change: { state: "queued", attempt, worker: null, boot: null, owner: null, startedAtMs: null, reason },
    event: eventOf(task, kind, nowMs, reason),
  };
}

/** An event about the task as it is. */
export function eventOf(
  task: TaskRecord,
  kind: TaskEventKind,
  atMs: number,
  detail: string | null,
): TaskEvent {
  return { kind, atMs, attempt: task.attempt, fence: task.fence, worker: task.worker, detail };
}

function backoffMs({ attempt, spec }: TaskRecord, random: Random): number {
  const { backoffS, backoffMaxS } = spec.retry;
  return random.float() * Math.min(backoffMaxS, backoffS * 2 ** Math.max(0, attempt - 1)) * 1000;
}
