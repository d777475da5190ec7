import type { TaskSpec } from "../core/tasks/task.ts";

/**
 * What is left out of a spec that is kept, as most tasks have it: half of what a task writes would be this.
 * Never to be changed: what is kept already means these values.
 */
const LEFT_OUT = {
  externalId: null,
  idempotencyKey: null,
  isIdempotent: false,
  tenant: "default",
  priority: 5,
  resources: {},
  labels: {},
  affinity: [],
  notBeforeMs: 0,
  deadlineMs: null,
  runTimeMaxS: null,
  retry: { max: 0, backoffS: 1, backoffMaxS: 60 },
  dependsOn: [],
  onParentFailure: "block",
  lostAfterS: 300,
  speculateAfter: null,
} as const satisfies Partial<TaskSpec>;

const NAMES = Object.keys(LEFT_OUT) as (keyof typeof LEFT_OUT)[];

/** A spec as it is kept. */
export function specText(spec: TaskSpec): string {
  const kept: Partial<Record<keyof TaskSpec, unknown>> = { ...spec };
  for (const name of NAMES) if (isSame(spec[name], LEFT_OUT[name])) kept[name] = undefined;
  return JSON.stringify(kept);
}

/** A spec that was kept. */
export function specOf(text: string): TaskSpec {
  return { ...LEFT_OUT, ...(JSON.parse(text) as TaskSpec) };
}

/** Values, and objects with values in them: none of those above is deeper. */
function isSame(value: unknown, leftOut: unknown): boolean {
  if (value === leftOut) return true;
  if (typeof value !== "object" || typeof leftOut !== "object" || value === null || leftOut === null)
    return false;
  const names = Object.keys(leftOut);
  if (Object.keys(value).length !== names.length) return false;
  return names.every((name) => (value as never)[name] === (leftOut as never)[name]);
}
