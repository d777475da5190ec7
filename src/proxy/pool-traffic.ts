import type { RetryBudget } from "../core/admission/retry-budget.ts";
import type { Desk } from "../core/desk.ts";
import type { KeySource } from "./keys.ts";
import type { SessionLearner } from "./learned-session.ts";
import type { LoadReports } from "./load-reports.ts";
import type { PoolStats } from "./pool-stats.ts";
import type { SessionCookies } from "./session-cookie.ts";
import type { Upstreams } from "./upstream-pool.ts";

/**
 * A pool as the request path sees it. Immutable: a configuration change makes a new one around the same pool.
 */
export interface PoolTraffic {
  readonly name: string;
  readonly pool: Desk;
  readonly upstreams: Upstreams;
  readonly stats: PoolStats;
  /** What the `hash` policy goes by; null for other policies. */
  readonly hashKey: KeySource | null;
  readonly sessionKey: KeySource | null;
  /** For sessions by our own cookie: the cookies, and the endpoint ids by tag. */
  readonly cookies: SessionCookies | null;
  readonly idByTag: ReadonlyMap<string, string>;
  /** For sessions that are learned from answers. */
  readonly learner: SessionLearner | null;
  /** Backends are asked how they are; null where they are not. */
  readonly loadReports: LoadReports | null;
  /** Where the tenant of a prompt stands, if caches are kept apart by it. */
  readonly tenantKey: KeySource | null;
  readonly retry: RetryRules | null;
  readonly budget: RetryBudget | null;
  readonly timeouts: TrafficTimeouts;
}

/** How long a backend may be silent. */
export interface TrafficTimeouts {
  /** From the sent request to the first byte of the answer. */
  readonly firstByteMs: number;
  /** Between two bytes of an answer. */
  readonly idleMs: number;
  /** Without a byte in either direction, after a switch of protocols. */
  readonly tunnelIdleMs: number;
}

/** What is tried again, and how often. */
export interface RetryRules {
  /** All tries of one request, the first included. */
  readonly attempts: number;
  readonly on: {
    readonly connectFailure: boolean;
    readonly reset: boolean;
    readonly firstByteTimeout: boolean;
    readonly statuses: readonly number[];
  };
  /** When the first token of a stream is late: as the forecast says, never, or after so many milliseconds. */
  readonly firstToken: "auto" | "off" | number;
  /** Bytes of a request's body that are kept to be sent again. */
  readonly bodyBytesMax: number;
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}
