import type { TaskRecord } from "../core/tasks/task.ts";
import type { Worker } from "../core/tasks/workers.ts";
import { fits } from "../core/tasks/resources.ts";
import type { TaskDispatcher } from "./dispatcher.ts";

/**
 * What stands in a task's way, or where it would go: each worker, what it would cost there, and why not
 * there.
 */
export function whyView(
  { engine, turns }: TaskDispatcher,
  record: TaskRecord,
  nowMs: number,
): Record<string, unknown> {
  const { spec, state } = record;
  const candidates = [...engine.leases.workers()].map((worker) => {
    const why = whyNot(worker, record, nowMs);
    const seconds = turns.predictS(spec.key, worker.name);
    return {
      worker: worker.name,
      fits: why === null,
      why_not: why,
      free_slots: worker.freeSlots,
      slowness: rounded(turns.durations.slowness(worker.name)),
      expected_s: rounded(seconds),
      work_ahead_s: rounded(aheadS(worker, nowMs)),
    };
  });
  return {
    id: record.id,
    state,
    worker: record.worker,
    reason: record.reason ?? conclusion(record, candidates.filter(({ fits: is }) => is).length),
    expected_s: rounded(turns.predictS(spec.key, "")),
    queued_before_it: state === "queued" ? Math.max(0, turns.size - 1) : 0,
    candidates,
  };
}

function whyNot(worker: Worker, { spec }: TaskRecord, nowMs: number): string | null {
  const { labels, loops, resources, slots } = worker.facts;
  if (worker.connection === null) return "nobody is connected";
  if (worker.isDraining) return "it is drained";
  const label = Object.keys(spec.labels).find((name) => labels[name] !== spec.labels[name]);
  if (label !== undefined) return `it is not labelled ${label}=${spec.labels[label]}`;
  if (spec.work.kind === "loop" && !loops.includes(spec.work.loop)) return `it has no loop ${spec.work.loop}`;
  if (!fits(resources, {}, spec.resources)) return "it has fewer resources than the task asks for";
  if (worker.freeSlots <= 0) return `all of its ${slots} slots are taken`;
  if (!fits(resources, worker.used, spec.resources)) return "its resources are taken";
  return nowMs < worker.pausedUntilMs ? "it has refused a task a moment ago" : null;
}

/** Seconds until its next slot is free, as expected. */
function aheadS(worker: Worker, nowMs: number): number {
  if (worker.freeSlots > 0) return 0;
  const left = [...worker.leases.values()].map(({ sinceMs, predictedMs }) => sinceMs + predictedMs - nowMs);
  return Math.max(0, Math.min(...left)) / 1000;
}

function conclusion({ state, spec, readyAtMs }: TaskRecord, fitting: number): string {
  if (state === "blocked") return `it waits for ${spec.dependsOn.length} parents to end well`;
  if (state === "delayed") return `it may begin at ${new Date(readyAtMs).toISOString()}`;
  if (state !== "queued") return `it is ${state}`;
  if (fitting === 0) return "no worker can take it now";
  return "it is not its turn yet, or a worker that is busy will end it sooner";
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
