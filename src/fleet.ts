import { endpointSpec } from "./core/endpoint.ts";
import type { PoolEventSink } from "./core/events.ts";
import { type EndpointMemory, recall, remember } from "./core/handover/memory.ts";
import type { Clock } from "./core/kit/clock.ts";
import type { Random } from "./core/kit/random.ts";
import type { LeaseFacts } from "./core/lease.ts";
import type { PromptBook } from "./core/inference/prompt-book.ts";
import { hashText } from "./core/kit/hash.ts";
import type { Ledger } from "./core/ledger.ts";
import type { Lessons } from "./core/lessons.ts";
import { createPolicy } from "./core/policies/create.ts";
import type { Policy } from "./core/policies/policy.ts";
import { Pool } from "./core/pool.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "./core/pool-options.ts";
import type { Turnstile } from "./core/sharing/turnstile.ts";
import type { BackendConfig, PoolConfig } from "./config/config.ts";
import { addressText } from "./http1/address.ts";
import { proxyHeader } from "./http1/proxy-protocol.ts";
import { deskOptions } from "./planes/desk-options.ts";
import { AgentChecker } from "./signals/agent-check.ts";
import { Prober, type ProbeTarget } from "./signals/prober.ts";

/** The pools of the configuration, kept up to date by diffs: what stays keeps its counts and speeds. */
export class Fleet {
  readonly #kit: FleetKit;
  readonly #groups: Map<string, Group> = new Map();
  /** In no configuration any more, with requests still running. */
  readonly #leaving: Map<string, Group> = new Map();

  constructor(kit: FleetKit) {
    this.#kit = kit;
  }

  /** Makes these the pools, with the endpoints that they have still; `update` makes those of one pool new. */
  apply(pools: readonly PoolConfig[]): Map<string, Pool> {
    const found = new Map<string, Pool>();
    for (const config of pools) {
      let group = this.#groups.get(config.name);
      if (group === undefined) {
        group = new Group(config, this.#kit, this.#leaving.get(config.name)?.pool ?? null);
        this.#groups.set(config.name, group);
        this.#leaving.delete(config.name);
      }
      group.configure(config);
      found.set(config.name, group.pool);
    }
    return found;
  }

  /** The endpoints of that pool are what its configuration says. */
  update(pool: string): void {
    this.#groups.get(pool)?.update();
  }

  /** Pools that are in no configuration any more are closed: they take nothing, and finish what they have. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const [name, group] of this.#groups) {
      if (names.has(name)) continue;
      group.close();
      this.#groups.delete(name);
      if (group.hasDeparted) this.#leaving.set(name, group);
    }
  }

  /** Every pool, in the order of the configuration. */
  list(): readonly Group[] {
    return [...this.#groups.values()];
  }

  /** Pools that a reload has removed, until their last request has ended. */
  leaving(): readonly Group[] {
    return [...this.#leaving.values()].filter(({ hasDeparted }) => hasDeparted);
  }

  /** Who learns from what happened to a lease that another thread had. */
  witnessOf({ slot, generation }: LeaseFacts): Lessons | undefined {
    for (const { pool } of this.#groups.values()) {
      if (pool.members.find(slot, generation) !== undefined) return pool.learner;
    }
    return undefined;
  }

  /** The pool of that name. */
  find(pool: string): Pool | undefined {
    return this.#groups.get(pool)?.pool;
  }

  /** What is known of all endpoints, for a process that takes over. */
  memories(nowMs: number): { pool: string; endpoints: EndpointMemory[] }[] {
    return this.list().map(({ pool }) => ({ pool: pool.name, endpoints: remember(pool, nowMs) }));
  }

  /** What the process before knew of the endpoints of a pool. */
  recall(pool: string, endpoints: readonly EndpointMemory[], nowMs: number): void {
    this.#groups.get(pool)?.recall(endpoints, nowMs);
  }

  /** What time brings to the pools. */
  tend(): void {
    for (const group of this.#groups.values()) group.pool.tend();
    for (const [name, { hasDeparted }] of this.#leaving) if (!hasDeparted) this.#leaving.delete(name);
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}

/** What all pools share. */
export interface FleetKit {
  readonly ledger: Ledger;
  readonly prompts: PromptBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: PoolEventSink;
  /** What keeps the waiting of several threads in order; undefined where there is one. */
  readonly turnstileOf: (pool: string) => Turnstile | undefined;
}

/** One pool and those who watch it. */
export class Group {
  readonly pool: Pool;
  policy: string;
  readonly #kit: FleetKit;
  #config: PoolConfig;
  #prober: Prober | null = null;
  #agents: AgentChecker | null = null;

  /** `former`: the pool of the same name that was removed and has requests running, or null. */
  constructor(config: PoolConfig, kit: FleetKit, former: Pool | null) {
    this.#kit = kit;
    this.#config = config;
    this.policy = config.policy.name;
    const turnstile = kit.turnstileOf(config.name);
    this.pool = new Pool({
      name: config.name,
      ledger: kit.ledger,
      clock: kit.clock,
      random: kit.random.split(1),
      policy: this.#policy(config),
      options: poolOptions(config),
      onEvent: kit.onEvent,
      ...(turnstile === undefined ? {} : { turnstile }),
    });
    if (former !== null) this.pool.members.expect(former.members);
    this.#restart(config);
  }

  /** Backends that were removed have requests running. */
  get hasDeparted(): boolean {
    return this.pool.members.departed().length > 0;
  }

  /** The rules of this configuration; its endpoints come with `update`. */
  configure(config: PoolConfig): void {
    const before = this.#config;
    const hasNewPolicy = !isSame(before.policy, config.policy);
    this.pool.configure(poolOptions(config), hasNewPolicy ? this.#policy(config) : null);
    this.policy = config.policy.name;
    const isWatchedAsBefore = isSame([before.health, before.agentCheck], [config.health, config.agentCheck]);
    if (!isWatchedAsBefore) this.#restart(config);
    this.#config = config;
  }

  update(): void {
    const { backends } = this.#config;
    this.pool.update(backends.map(toSpec));
    const probed = backends.map((backend) => toProbe(backend, this.#config));
    this.#prober?.update(probed);
    this.#agents?.update(probed);
  }

  recall(endpoints: readonly EndpointMemory[], nowMs: number): void {
    const watch = { hasProbes: this.#prober !== null, hasAgents: this.#agents !== null };
    recall(this.pool, endpoints, watch, nowMs);
  }

  close(): void {
    this.#prober?.stop();
    this.#agents?.stop();
    this.pool.close();
  }

  #policy(config: PoolConfig): Policy {
    const { random, ledger, prompts } = this.#kit;
    const { slotsMax, isShared } = ledger;
    const kit = { random: random.split(2), slotsMax, isShared, prompts, pool: hashText(config.name) };
    return createPolicy(config.policy.name, kit, config.policy.options);
  }

  /** Probes and agents begin anew when their rules change; they hold nothing that would be missed. */
  #restart({ health, agentCheck }: PoolConfig): void {
    this.#prober?.stop();
    this.#agents?.stop();
    if (health === null) this.pool.forgetProbes();
    this.#prober = health === null ? null : new Prober(this.pool, health, this.#kit.random.split(3));
    this.#agents = agentCheck === null ? null : new AgentChecker(this.pool, agentCheck);
  }
}

/** How a pool behaves that is configured like this. */
function poolOptions(config: PoolConfig): PoolOptions {
  const { outlier, slowdown, slowStartMs, health } = config;
  const probes = health ?? DEFAULT_POOL_OPTIONS.probes;
  return { outlier, slowdown, probes, slowStartMs, ...deskOptions(config) };
}

function toSpec(backend: BackendConfig): ReturnType<typeof endpointSpec> {
  const { id, weight, limit, priority, labels } = backend;
  return endpointSpec(addressText(backend), { id, weight, limit, priority, labels });
}

function toProbe(backend: BackendConfig, { proxyProtocol }: PoolConfig): ProbeTarget {
  const { id, host, name, port, socketPath, tls } = backend;
  // A server that is found by a name may go by it.
  const headers = name === undefined ? backend.headers : { host: `${name}:${port}`, ...backend.headers };
  // A probe comes from ourselves, and says so.
  const preface = proxyProtocol === null ? "" : proxyHeader(proxyProtocol, null);
  return { id, host, port, socketPath, tls, headers, preface };
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
