import type { Waiting } from "./engine-link.ts";
import type { TaskRecord } from "./task.ts";

/** A task as far as its turn is concerned. */
export function waitingOf({ id, spec }: TaskRecord, nowMs: number): Waiting {
  const { key, tenant, priority, resources, labels, affinity, work } = spec;
  const loop = work.kind === "loop" ? work.loop : "";
  return { id, key, tenant, priority, resources, labels, affinity, loop, sinceMs: nowMs };
}
