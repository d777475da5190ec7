import type { TokenBucket } from "../kit/token-bucket.ts";
import type { Flow } from "./fair-flow.ts";

/** What holds for a tenant. */
export interface TenantRule {
  /** Its share beside others'; above 0. */
  readonly weight: number;
  /** Tasks of it that may run at once. */
  readonly runningMax: number;
  /** Tasks a second that may begin, and how many at once after a pause. */
  readonly startsPerSecond: number;
  readonly startsBurst: number;
}

/** The rule of a tenant, by its name. */
export type TenantRules = (tenant: string) => TenantRule;

/** Everybody has the same share, and no limits. */
export const DEFAULT_TENANT_RULE: TenantRule = {
  weight: 1,
  runningMax: Number.POSITIVE_INFINITY,
  startsPerSecond: Number.POSITIVE_INFINITY,
  startsBurst: Number.POSITIVE_INFINITY,
};

/** A tenant that has something waiting or running, or has used up some of its starts. */
export interface Tenant {
  readonly name: string;
  readonly rule: TenantRule;
  readonly bucket: TokenBucket;
  /** By priority. */
  readonly flows: (Flow | null)[];
  running: number;
}
