import type { Config } from "../config/config.ts";
import type { Clock } from "../core/kit/clock.ts";
import { type Placement, PlacementLog } from "../core/inference/placement-log.ts";
import { IpRanges } from "../core/kit/ip-address.ts";
import type { Random } from "../core/kit/random.ts";
import type { Desk } from "../core/desk.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import { DEFAULT_LIMITS } from "../http1/limits.ts";
import { AccessLog, type LogWriter } from "../proxy/access-log.ts";
import type { Plan } from "../proxy/context.ts";
import { Mirrors } from "../proxy/mirror.ts";
import { ModelLists } from "../proxy/model-list.ts";
import type { PoolTraffic } from "../proxy/pool-traffic.ts";
import { connectionsThatFit } from "../proxy/descriptors.ts";
import { Proxy, type ProxySettings } from "../proxy/proxy.ts";
import { RequestIds } from "../proxy/request-id.ts";
import { compileRoutes } from "../proxy/route.ts";
import { RouteTable } from "../proxy/route-table.ts";
import type { TicketKeys } from "../proxy/ticket-keys.ts";
import type { PlaneCounts } from "./plane.ts";
import { type SessionNews, SessionTables } from "./session-tables.ts";
import { Traffic } from "./traffic.ts";

/** All that carries requests in one thread: listeners, routes, the traffic of each pool, the access log. */
export class DataPlane {
  readonly proxy: Proxy;
  readonly sessions: SessionTables;
  readonly #kit: DataPlaneKit;
  readonly #placements: PlacementLog = new PlacementLog();
  readonly #accessLog: AccessLog;
  readonly #traffic: Map<string, Traffic> = new Map();
  #refusalToldAtMs = Number.NEGATIVE_INFINITY;

  /** Throws the system's error when the access log can not be opened. */
  constructor(config: Config, kit: DataPlaneKit) {
    const { clock, random, deadlines, pseudonym, tickets } = kit;
    this.#kit = kit;
    this.sessions = new SessionTables(clock, kit.onSessionNews ?? null);
    this.#accessLog = new AccessLog(config.accessLog, kit.writeStdout);
    const counts = { answeredLocally: 0, unrouted: 0, malformed: 0, refusedPrefaces: 0, failedHandshakes: 0 };
    const plan = { routes: new RouteTable([]) };
    const mirrors = new Mirrors();
    const modelLists = new ModelLists(() => clock.nowMs());
    const logs = { accessLog: this.#accessLog, placements: this.#placements };
    const shared = { clock, random, deadlines, pseudonym, tickets, ...logs, mirrors, modelLists };
    const onPrefaceRefused = this.#noteRefusal.bind(this);
    const context = { ...shared, ...counts, plan, ids: new RequestIds(), onPrefaceRefused };
    this.proxy = new Proxy(context, settingsOf(config, kit));
  }

  /** The traffic of every pool, by name. */
  get traffic(): ReadonlyMap<string, Traffic> {
    return this.#traffic;
  }

  /**
   * Requests go by this from now on. `desks` has one for each pool; `update` makes the endpoints of a pool
   * known to its desk, once the connections to them can be made.
   */
  apply(
    config: Config,
    sessionKeys: readonly string[],
    deskOf: (pool: string) => Desk,
    update: (pool: string) => void,
  ): void {
    const names = new Set(config.pools.map(({ name }) => name));
    const pools = new Map<string, PoolTraffic>();
    this.sessions.configure(config.pools);
    for (const pool of config.pools) {
      const desk = deskOf(pool.name);
      let traffic = this.#traffic.get(pool.name);
      if (traffic === undefined) {
        traffic = new Traffic(desk, this.#kit.deadlines, this.#kit.threads);
        this.#traffic.set(pool.name, traffic);
      }
      traffic.prepare(pool);
      update(pool.name);
      pools.set(pool.name, traffic.apply(pool, sessionKeys, this.sessions.of(pool.name)));
    }
    this.proxy.apply(planOf(config, pools, this.#kit), settingsOf(config, this.#kit));
    for (const [name, traffic] of this.#traffic) {
      if (names.has(name)) continue;
      traffic.close();
      this.#traffic.delete(name);
    }
  }

  counts(): Omit<PlaneCounts, "lateSettles" | "lessonsDropped"> {
    return {
      clientConnections: this.proxy.connections,
      answeredLocally: this.proxy.context.answeredLocally,
      unrouted: this.proxy.context.unrouted,
      malformed: this.proxy.context.malformed,
      refusedPrefaces: this.proxy.context.refusedPrefaces,
      failedHandshakes: this.proxy.context.failedHandshakes,
      accessLogDropped: this.#accessLog.dropped,
    };
  }

  /** Where the attempts of that request went, as far as it is known; the first one first. */
  placementsOf(requestId: string): Placement[] {
    return this.#placements.find(requestId, this.#kit.clock.nowMs());
  }

  reopenLogs(): void {
    this.#accessLog.reopen();
  }

  /** Rarely: whoever may connect could fill the log with it. The metric counts them all. */
  #noteRefusal(address: string, reason: string): void {
    const nowMs = this.#kit.clock.nowMs();
    if (nowMs - this.#refusalToldAtMs < REFUSAL_AGAIN_MS) return;
    this.#refusalToldAtMs = nowMs;
    this.#kit.onPrefaceRefused(address, reason);
  }

  async close(): Promise<void> {
    for (const traffic of this.#traffic.values()) traffic.close();
    await this.#accessLog.close();
  }
}

/** What a data plane is made of. */
export interface DataPlaneKit {
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  /** Our name in Via, the same for all threads. */
  readonly pseudonym: string;
  readonly tickets: TicketKeys;
  /** How many data planes share the work. */
  readonly threads: number;
  /** A connection was closed for its PROXY header; told now and then. */
  readonly onPrefaceRefused: (address: string, reason: string) => void;
  /** Who tells other threads what was learned of sessions; absent: there are none. */
  readonly onSessionNews?: (news: SessionNews) => void;
  /** Where lines for the standard output go; absent: there. */
  readonly writeStdout?: LogWriter;
}

const REFUSAL_AGAIN_MS = 10_000;

function planOf(
  { routes, limits: { bodyBytesMax } }: Config,
  traffic: ReadonlyMap<string, PoolTraffic>,
  { threads }: DataPlaneKit,
): Plan {
  return { routes: new RouteTable(compileRoutes(routes, traffic, { bodyBytesMax, threads })) };
}

/** What client connections may cost in one thread, and whose word counts. */
export function settingsOf(
  { limits, trustedProxies, forwardedHeaders }: Config,
  { threads }: Pick<DataPlaneKit, "threads">,
): ProxySettings {
  const { headerBytesMax, headerCountMax, uriBytesMax, connectionsMax } = limits;
  const { headerTimeoutMs: headerMs, keepAliveMs, bodyProgressMs: progressMs } = limits;
  return {
    limits: { ...DEFAULT_LIMITS, headerBytesMax, headerCountMax, uriBytesMax },
    timeouts: { headerMs, keepAliveMs, progressMs },
    // The kernel spreads connections over the threads: about evenly, not exactly.
    connectionsMax: Math.ceil(connectionsThatFit(connectionsMax) / threads),
    trust: { trusted: new IpRanges(trustedProxies), forwardedFields: forwardedHeaders },
  };
}
