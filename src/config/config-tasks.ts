import type { TenantRule } from "../core/tasks/tenants.ts";
import type { BindConfig } from "./config.ts";

/** The second door: a durable queue of tasks, and the agents that run them. */
export interface TasksConfig extends BindConfig {
  /** null only where `host` is loopback. */
  readonly token: string | null;
  /** `sqlite:` and an absolute path, or `memory:`. */
  readonly store: string;
  readonly leaseTtlMs: number;
  readonly openTasksMax: number;
  /** Infinity: however long the oldest one waits. */
  readonly queueAgeMaxMs: number;
  readonly payloadBytesMax: number;
  readonly resultBytesMax: number;
  readonly endedTasksMax: number;
  readonly endedAgeMaxMs: number;
  readonly tenants: Readonly<Record<string, TenantRule>>;
}
