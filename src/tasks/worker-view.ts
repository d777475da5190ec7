import type { Worker } from "../core/tasks/workers.ts";
import type { TaskDispatcher } from "./dispatcher.ts";

/** A worker as the API shows it, with what runs there. */
export function workerView(
  dispatcher: TaskDispatcher,
  worker: Worker,
  nowMs: number,
): Record<string, unknown> {
  const { boot, slots, resources, labels, loops } = worker.facts;
  return {
    worker: worker.name,
    connected: worker.connection !== null,
    draining: worker.isDraining,
    boot,
    slots,
    free_slots: worker.freeSlots,
    resources,
    used: worker.used,
    labels,
    loops,
    slowness: Math.round(dispatcher.turns.durations.slowness(worker.name) * 1000) / 1000,
    silent_s: Math.max(0, Math.round(nowMs - worker.seenMs) / 1000),
    vitals: dispatcher.lineOf(worker)?.vitals ?? null,
    running: [...worker.leases.values()].map(({ task, fence, sinceMs, predictedMs, isCopy }) => ({
      task,
      fence,
      for_s: Math.round(nowMs - sinceMs) / 1000,
      expected_s: Math.round(predictedMs) / 1000,
      copy: isCopy,
    })),
  };
}
