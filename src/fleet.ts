import { RetryBudget } from "./core/admission/retry-budget.ts";
import { endpointSpec } from "./core/endpoint.ts";
import type { PoolEventSink } from "./core/events.ts";
import type { Clock } from "./core/kit/clock.ts";
import type { Random } from "./core/kit/random.ts";
import type { Ledger } from "./core/ledger.ts";
import { createPolicy } from "./core/policies/create.ts";
import type { Policy } from "./core/policies/policy.ts";
import { Pool } from "./core/pool.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "./core/pool-options.ts";
import type { BackendConfig, PoolConfig } from "./config/config.ts";
import { parseKeySpec } from "./config/key-spec.ts";
import type { Deadlines } from "./http1/deadlines.ts";
import { DEFAULT_LIMITS } from "./http1/limits.ts";
import { proxyHeader } from "./http1/proxy-protocol.ts";
import { PoolStats } from "./proxy/pool-stats.ts";
import type { PoolTraffic } from "./proxy/pool-traffic.ts";
import { SessionCookies } from "./proxy/session-cookie.ts";
import { Upstreams, type UpstreamTarget } from "./proxy/upstream-pool.ts";
import { AgentChecker } from "./signals/agent-check.ts";
import { Prober, type ProbeTarget } from "./signals/prober.ts";

/**
 * The pools of the configuration, kept up to date by diffs: what stays keeps its counts, speeds and
 * connections.
 */
export class Fleet {
  readonly #kit: FleetKit;
  readonly #groups: Map<string, Group> = new Map();

  constructor(kit: FleetKit) {
    this.#kit = kit;
  }

  /** Makes these the pools and returns them as the request path sees them, by name. */
  apply(pools: readonly PoolConfig[], sessionKeys: readonly string[]): Map<string, PoolTraffic> {
    const names = new Set(pools.map((pool) => pool.name));
    for (const [name, group] of this.#groups) {
      if (names.has(name)) continue;
      group.close();
      this.#groups.delete(name);
    }
    return new Map(pools.map((config) => [config.name, this.#group(config).apply(config, sessionKeys)]));
  }

  /** Every pool with its figures, in the order of the configuration. */
  list(): readonly Group[] {
    return [...this.#groups.values()];
  }

  /** What time brings to the pools. */
  tend(): void {
    for (const group of this.#groups.values()) group.pool.tend();
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }

  #group(config: PoolConfig): Group {
    let group = this.#groups.get(config.name);
    if (group === undefined) {
      group = new Group(config, this.#kit);
      this.#groups.set(config.name, group);
    }
    return group;
  }
}

/** What all pools share. */
export interface FleetKit {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  readonly onEvent: PoolEventSink;
}

/** One pool and everything around it. */
export class Group {
  readonly pool: Pool;
  readonly stats: PoolStats = new PoolStats();
  policy: string;
  readonly #kit: FleetKit;
  readonly #upstreams: Upstreams;
  #config: PoolConfig;
  #budget: RetryBudget | null = null;
  #prober: Prober | null = null;
  #agents: AgentChecker | null = null;

  constructor(config: PoolConfig, kit: FleetKit) {
    this.#kit = kit;
    this.#config = config;
    this.policy = config.policy.name;
    this.#upstreams = new Upstreams(DEFAULT_LIMITS, kit.deadlines);
    this.pool = new Pool({
      name: config.name,
      ledger: kit.ledger,
      clock: kit.clock,
      random: kit.random.split(1),
      policy: this.#policy(config),
      options: poolOptions(config),
      onEvent: kit.onEvent,
    });
    this.#restart(config);
  }

  apply(config: PoolConfig, sessionKeys: readonly string[]): PoolTraffic {
    const before = this.#config;
    const hasNewPolicy = !isSame(before.policy, config.policy);
    this.pool.configure(poolOptions(config), hasNewPolicy ? this.#policy(config) : null);
    this.policy = config.policy.name;
    if (
      !isSame(
        [before.health, before.agentCheck, before.retry],
        [config.health, config.agentCheck, config.retry],
      )
    ) {
      this.#restart(config);
    }
    this.#config = config;
    // First: whoever waits is given work as soon as the members change.
    this.#upstreams.update(
      new Map(config.backends.map((backend) => [backend.id, toTarget(backend, config)])),
    );
    this.pool.update(config.backends.map(toSpec));
    this.stats.keepOnly(new Set(config.backends.map(({ id }) => id)));
    const probed = config.backends.map((backend) => toProbe(backend, config));
    this.#prober?.update(probed);
    this.#agents?.update(probed);
    return this.#traffic(config, sessionKeys);
  }

  close(): void {
    this.#prober?.stop();
    this.#agents?.stop();
    this.pool.close();
    this.#upstreams.close();
  }

  #policy(config: PoolConfig): Policy {
    const { random, ledger } = this.#kit;
    const kit = { random: random.split(2), slotsMax: ledger.slotsMax };
    return createPolicy(config.policy.name, kit, config.policy.options);
  }

  /** Probes, agents and budget begin anew when their rules change; they hold nothing that would be missed. */
  #restart(config: PoolConfig): void {
    this.#prober?.stop();
    this.#agents?.stop();
    const { health, agentCheck, retry } = config;
    if (health === null) this.pool.forgetProbes();
    this.#prober = health === null ? null : new Prober(this.pool, health, this.#kit.random.split(3));
    this.#agents =
      agentCheck === null ? null : new AgentChecker(this.pool, agentCheck.port, agentCheck.intervalMs);
    this.#budget = retry === null ? null : new RetryBudget(retry.budgetShare, retry.budgetPerSecondMin);
  }

  #traffic(config: PoolConfig, sessionKeys: readonly string[]): PoolTraffic {
    const { session, policy, name } = config;
    const isCookie = session?.key.from === "session_cookie";
    const cookies = isCookie
      ? new SessionCookies(session.cookieName, name, session.ttlMs, sessionKeys)
      : null;
    const tags = config.backends.flatMap(({ id }) =>
      (cookies?.tagsOf(id) ?? []).map((tag) => [tag, id] as const),
    );
    return {
      name,
      pool: this.pool,
      upstreams: this.#upstreams,
      stats: this.stats,
      hashKey: policy.name === "hash" ? parseKeySpec(String(policy.options.key)) : null,
      sessionKey: session === null || isCookie ? null : session.key,
      cookies,
      idByTag: new Map(tags),
      retry: config.retry,
      budget: this.#budget,
      timeouts: config.timeouts,
    };
  }
}

function poolOptions(config: PoolConfig): PoolOptions {
  const { outlier, slowdown, slowStartMs, queue, failover, health, session } = config;
  const probes = health ?? DEFAULT_POOL_OPTIONS.probes;
  const sessionWhenFull = session?.whenFull ?? "spill";
  return { outlier, slowdown, probes, slowStartMs, queue, sessionWhenFull, failover };
}

function toSpec(backend: BackendConfig): ReturnType<typeof endpointSpec> {
  const { id, weight, limit, priority, labels } = backend;
  const host = backend.host.includes(":") ? `[${backend.host}]` : backend.host;
  return endpointSpec(`${host}:${backend.port}`, { id, weight, limit, priority, labels });
}

function toTarget(backend: BackendConfig, config: PoolConfig): UpstreamTarget {
  const { host, port, headers } = backend;
  const { idleMax, idleMs } = config.connections;
  const { proxyProtocol } = config;
  return { host, port, headers, idleMax, idleMs, connectTimeoutMs: config.timeouts.connectMs, proxyProtocol };
}

function toProbe({ id, host, port, headers }: BackendConfig, { proxyProtocol }: PoolConfig): ProbeTarget {
  // A probe comes from ourselves, and says so.
  return { id, host, port, headers, preface: proxyProtocol === null ? "" : proxyHeader(proxyProtocol, null) };
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
