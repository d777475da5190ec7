import type { BackendConfig, PoolConfig, SessionConfig } from "../config/config.ts";
import { parseKeySpec } from "../config/key-spec.ts";
import { RetryBudget } from "../core/admission/retry-budget.ts";
import type { LearnedSessions } from "../core/affinity/learned.ts";
import type { Desk } from "../core/desk.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import { DEFAULT_LIMITS } from "../http1/limits.ts";
import type { SessionLearner } from "../proxy/learned-session.ts";
import { LoadReports } from "../proxy/load-reports.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import type { PoolTraffic } from "../proxy/pool-traffic.ts";
import { SessionCookies } from "../proxy/session-cookie.ts";
import { Upstreams, type UpstreamTarget } from "../proxy/upstream-pool.ts";

/**
 * One pool as one thread carries its requests: connections, sessions, budget and figures around a desk. Kept
 * up to date by diffs: what stays keeps its connections and counts.
 */
export class Traffic {
  readonly stats: PoolStats = new PoolStats();
  readonly desk: Desk;
  readonly #upstreams: Upstreams;
  readonly #threads: number;
  #retry: PoolConfig["retry"] = null;
  #budget: RetryBudget | null = null;
  #cookies: SessionCookies | null = null;
  #cookieRules = "";

  /** `threads`: how many carry the requests of this pool. */
  constructor(desk: Desk, deadlines: Deadlines, threads: number) {
    this.desk = desk;
    this.#threads = threads;
    this.#upstreams = new Upstreams(DEFAULT_LIMITS, deadlines);
  }

  /** To be called before the desk learns of new endpoints: whoever waits is given work at once. */
  prepare(config: PoolConfig): void {
    this.#upstreams.update(
      new Map(config.backends.map((backend) => [backend.id, toTarget(backend, config)])),
    );
  }

  /** The pool as requests see it from now on. `learned`: its sessions, where they are learned. */
  apply(config: PoolConfig, sessionKeys: readonly string[], learned: LearnedSessions | null): PoolTraffic {
    this.stats.keepOnly(new Set(config.backends.map(({ id }) => id)));
    this.#renewBudget(config.retry);
    const { session, policy, name } = config;
    const isCookie = session?.key.from === "session_cookie";
    const cookies = isCookie ? this.#cookiesFor(session, name, sessionKeys) : null;
    return {
      name,
      pool: this.desk,
      upstreams: this.#upstreams,
      stats: this.stats,
      hashKey: policy.name === "hash" ? parseKeySpec(String(policy.options.key)) : null,
      sessionKey: session === null || isCookie || learned !== null ? null : session.key,
      learner: session === null || learned === null ? null : learnerOf(session, learned),
      cookies,
      idByTag: cookies?.tagsOf(config.backends.map(({ id }) => id)) ?? new Map(),
      tenantKey: config.promptTenant,
      loadReports: config.loadReports === null ? null : new LoadReports(config.loadReports),
      retry: config.retry,
      budget: this.#budget,
      timeouts: config.timeouts,
    };
  }

  close(): void {
    this.#upstreams.close();
  }

  /** The same as before where nothing of it has changed: it knows signatures and tags. */
  #cookiesFor({ cookieName, ttlMs }: SessionConfig, pool: string, keys: readonly string[]): SessionCookies {
    const rules = JSON.stringify([cookieName, pool, ttlMs, keys]);
    if (this.#cookies === null || rules !== this.#cookieRules) {
      this.#cookies = new SessionCookies(cookieName, pool, ttlMs, keys);
    }
    this.#cookieRules = rules;
    return this.#cookies;
  }

  /** It begins anew when its rules change; it holds nothing that would be missed. */
  #renewBudget(retry: PoolConfig["retry"]): void {
    if (JSON.stringify(retry) === JSON.stringify(this.#retry)) return;
    this.#retry = retry;
    // Each thread has its part of what is always allowed; the share is of its own requests.
    const perSecondMin = (retry?.budgetPerSecondMin ?? 0) / this.#threads;
    this.#budget = retry === null ? null : new RetryBudget(retry.budgetShare, perSecondMin);
  }
}

function learnerOf({ key }: SessionConfig, table: LearnedSessions): SessionLearner {
  if (key.from !== "header" && key.from !== "cookie")
    throw new Error(`sessions by ${key.from} are not learned`);
  return { source: key, table };
}

function toTarget(backend: BackendConfig, config: PoolConfig): UpstreamTarget {
  const { host, port, socketPath, tls, headers } = backend;
  const { idleMax, idleMs } = config.connections;
  const { connectMs: connectTimeoutMs } = config.timeouts;
  const { proxyProtocol } = config;
  return { host, port, socketPath, tls, headers, idleMax, idleMs, connectTimeoutMs, proxyProtocol };
}
