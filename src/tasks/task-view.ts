import type { TaskRecord } from "../core/tasks/task.ts";
import type { StoredEvent } from "../store/store.ts";

/** A task as the API shows it; field names are those of the JSON. */
export function taskView(record: TaskRecord): Record<string, unknown> {
  const { spec } = record;
  const { work } = spec;
  return {
    id: record.id,
    state: record.state,
    name: spec.name,
    key: spec.key,
    external_id: spec.externalId,
    tenant: spec.tenant,
    priority: spec.priority,
    ...(work.kind === "command" && { command: work.argv }),
    ...(work.kind === "loop" && { loop: work.loop }),
    ...(work.kind === "noop" && { noop: true }),
    idempotent: spec.isIdempotent,
    resources: spec.resources,
    labels: spec.labels,
    depends_on: spec.dependsOn,
    attempt: record.attempt,
    fence: record.fence,
    workers_lost: record.crashes,
    worker: record.worker,
    exit_code: record.exitCode,
    reason: record.reason,
    cancel_asked: record.isCancelAsked,
    submitted_at: isoTime(record.submittedAtMs),
    not_before: isoTime(record.readyAtMs),
    started_at: isoTime(record.startedAtMs),
    ended_at: isoTime(record.endedAtMs),
  };
}

/** An event as the API shows it. */
export function eventView(event: StoredEvent): Record<string, unknown> {
  const { cursor, taskId, kind, atMs, attempt, fence, worker, detail } = event;
  return { cursor, task: taskId, kind, at: isoTime(atMs), attempt, fence, worker, detail };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
