import { DEFAULT_TENANT_RULE, type TenantRule } from "../core/tasks/tenants.ts";

/** How a dispatcher is set up; `tasks` of the configuration. */
export interface TaskOptions {
  /** `sqlite:FILE`, `memory:`. */
  readonly store: string;
  readonly leaseTtlMs: number;
  readonly beatMs: number;
  readonly startGraceMs: number;
  readonly idempotencyKeyKeptMs: number;
  /** Tasks that have not ended, at most; more are refused with 429. */
  readonly openTasksMax: number;
  /** The same while the oldest one has waited for longer; Infinity: whatever it waits. */
  readonly queueAgeMaxMs: number;
  readonly payloadBytesMax: number;
  readonly resultBytesMax: number;
  readonly endedTasksMax: number;
  readonly endedAgeMaxMs: number;
  /** By name; `*` is everybody else. */
  readonly tenants: Readonly<Record<string, Partial<TenantRule>>>;
}

/** What is not for users to set. */
export const FIXED_TASK_OPTIONS: Pick<TaskOptions, "beatMs" | "startGraceMs" | "idempotencyKeyKeptMs"> = {
  beatMs: 2_000,
  startGraceMs: 20_000,
  idempotencyKeyKeptMs: 24 * 3_600_000,
};

/** What holds for a tenant. */
export function ruleOf({ tenants }: TaskOptions, tenant: string): TenantRule {
  const named = Object.hasOwn(tenants, tenant) ? tenants[tenant] : tenants["*"];
  return { ...DEFAULT_TENANT_RULE, ...named };
}
