import type { PoolConfig } from "../config/config.ts";
import type { DeskOptions } from "../core/desk-setup.ts";

/** What the desks of a pool go by that is configured like this. */
export function deskOptions({ queue, failover, session }: PoolConfig): DeskOptions {
  return { queue, failover, sessionWhenFull: session?.whenFull ?? "spill" };
}
