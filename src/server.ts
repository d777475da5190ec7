import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { type Admin, startAdmin } from "./admin/admin.ts";
import { EventLog } from "./admin/event-log.ts";
import type { AdminSource } from "./admin/source.ts";
import type { Config } from "./config/config.ts";
import { diffPools } from "./config/diff.ts";
import type { PoolEvent } from "./core/events.ts";
import type { Clock } from "./core/kit/clock.ts";
import { IpRanges } from "./core/kit/ip-address.ts";
import { Random } from "./core/kit/random.ts";
import { Ledger } from "./core/ledger.ts";
import { WORK_CLASSES } from "./core/work.ts";
import { Fleet } from "./fleet.ts";
import { Deadlines } from "./http1/deadlines.ts";
import { DEFAULT_LIMITS } from "./http1/limits.ts";
import { AccessLog } from "./proxy/access-log.ts";
import type { Plan } from "./proxy/context.ts";
import { END_REASONS } from "./proxy/pool-stats.ts";
import type { PoolTraffic } from "./proxy/pool-traffic.ts";
import { Proxy, type ProxySettings } from "./proxy/proxy.ts";
import { RequestIds } from "./proxy/request-id.ts";
import { type Route, sortRoutes } from "./proxy/route.ts";
import { keptSessionKey } from "./state.ts";
import { VERSION } from "./version.ts";

/** A running Evener: the only place that knows every room. */
export class Server {
  readonly #log: Logger;
  readonly #clock: Clock = { nowMs: () => performance.now() };
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #ledger: Ledger = new Ledger();
  readonly events: EventLog = new EventLog();
  readonly fleet: Fleet;
  readonly proxy: Proxy;
  readonly #accessLog: AccessLog;
  readonly #tending: NodeJS.Timeout;
  readonly #startedAtWallMs: number = Date.now();
  #config: Config;
  #admin: Admin | null = null;
  #isReady = false;
  #refusalLoggedAtMs = Number.NEGATIVE_INFINITY;

  private constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    const random = new Random(randomBytes(4).readUInt32LE(0));
    const onEvent = (event: PoolEvent): void => this.#noteEvent(event);
    const shared = { ledger: this.#ledger, clock: this.#clock, random, deadlines: this.#deadlines };
    this.fleet = new Fleet({ ...shared, onEvent });
    this.#accessLog = new AccessLog(config.accessLog);
    this.proxy = new Proxy(
      {
        ...shared,
        plan: { routes: [], bodyBytesMax: 0 },
        ids: new RequestIds(),
        accessLog: this.#accessLog,
        pseudonym: `evener-${randomBytes(4).toString("hex")}`,
        unrouted: 0,
        malformed: 0,
        refusedPrefaces: 0,
        onPrefaceRefused: (address, reason) => this.#noteRefusal(address, reason),
      },
      settingsOf(config),
    );
    this.#tending = setInterval(() => this.fleet.tend(), TEND_EVERY_MS);
  }

  /** Starts everything that the configuration asks for. Throws EvenerError, with nothing left running. */
  static async start(config: Config, log: Logger): Promise<Server> {
    const server = new Server(config, log);
    try {
      server.#apply(config);
      await server.proxy.listen(config.listeners);
      await server.#startAdmin(config);
    } catch (error) {
      await server.stop(0);
      throw error;
    }
    server.#isReady = true;
    return server;
  }

  get config(): Config {
    return this.#config;
  }

  /** Where the admin listener is, or null. */
  get adminAddress(): { host: string; port: number } | null {
    const { admin } = this.#config;
    return admin === null || this.#admin === null ? null : { host: admin.host, port: this.#admin.port };
  }

  /**
   * Goes on with another configuration: streams, counts and sessions survive. Throws EvenerError (a listener
   * that can not be opened) and keeps the one before then. The admin listener, the access log and log level
   * need a restart.
   */
  async reload(config: Config): Promise<string> {
    await this.proxy.listen([...this.#config.listeners, ...config.listeners]);
    const change = diffPools(this.#config.pools, config.pools);
    this.#apply(config);
    await this.proxy.listen(config.listeners);
    this.#config = config;
    return change.text;
  }

  reopenLogs(): void {
    this.#accessLog.reopen();
  }

  /**
   * Stops accepting, lets streams finish for at most `timeoutMs`, closes everything; true when nothing was
   * cut.
   */
  async stop(timeoutMs: number): Promise<boolean> {
    this.#isReady = false;
    const wasClean = await this.proxy.drain(timeoutMs);
    await this.#admin?.close();
    this.fleet.close();
    clearInterval(this.#tending);
    this.#deadlines.close();
    await this.#accessLog.close();
    return wasClean;
  }

  #apply(config: Config): void {
    const keys = config.sessionKeys.length > 0 ? config.sessionKeys : this.#ownSessionKeys(config);
    const traffic = this.fleet.apply(config.pools, keys);
    this.proxy.apply(planOf(config, traffic), settingsOf(config));
  }

  #ownSessionKeys(config: Config): string[] {
    const isNeeded = config.pools.some(({ session }) => session?.key.from === "session_cookie");
    return isNeeded ? [keptSessionKey(process.env)] : [];
  }

  async #startAdmin(config: Config): Promise<void> {
    if (config.admin === null) return;
    const { host, port, token } = config.admin;
    const onChange = (who: string, what: string): void =>
      this.#log.info({ who, what }, "changed by an operator");
    const source = this.#adminSource();
    this.#admin = await startAdmin({ host, port, token, source, deadlines: this.#deadlines, onChange });
  }

  #adminSource(): AdminSource {
    return {
      version: VERSION,
      events: this.events,
      isReady: () => this.#isReady && !this.proxy.isDraining,
      pools: () =>
        this.fleet.list().map(({ pool, policy, stats }) => ({ name: pool.name, policy, pool, stats })),
      process: () => ({
        clientConnections: this.proxy.connections,
        unrouted: this.proxy.context.unrouted,
        malformed: this.proxy.context.malformed,
        refusedPrefaces: this.proxy.context.refusedPrefaces,
        accessLogDropped: this.#accessLog.dropped,
        lateSettles: this.#ledger.lateSettles,
        startedAtWallMs: this.#startedAtWallMs,
        endReasons: END_REASONS,
      }),
    };
  }

  /** Rarely: whoever may connect could fill the log with it. The metric counts them all. */
  #noteRefusal(address: string, reason: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#refusalLoggedAtMs < REFUSAL_LOG_MS) return;
    this.#refusalLoggedAtMs = nowMs;
    this.#log.warn({ address, reason }, "connection closed: proxy_protocol");
  }

  #noteEvent(event: PoolEvent): void {
    this.events.append(event);
    const { pool, endpoint, kind, reason, evidence } = event;
    const isNews = kind !== "joined" && kind !== "left";
    this.#log[isNews ? "info" : "debug"]({ pool, backend: endpoint, kind, reason, evidence }, "pool event");
  }
}

const TEND_EVERY_MS = 100;
/** Between two lines of the log about connections that were closed for their PROXY header. */
const REFUSAL_LOG_MS = 10_000;

function planOf(config: Config, traffic: ReadonlyMap<string, PoolTraffic>): Plan {
  const routes = config.routes.map((spec): Route => {
    const labels = Object.keys(spec.labels).length === 0 ? null : spec.labels;
    const name = `${spec.match.host ?? ""}${spec.match.path}`;
    return {
      spec,
      traffic: traffic.get(spec.pool)!,
      labels,
      classIndex: WORK_CLASSES.indexOf(spec.class),
      name,
    };
  });
  return { routes: sortRoutes(routes), bodyBytesMax: config.limits.bodyBytesMax };
}

function settingsOf({ limits, trustedProxies, forwardedHeaders }: Config): ProxySettings {
  const { headerBytesMax, headerCountMax, uriBytesMax, connectionsMax } = limits;
  const { headerTimeoutMs: headerMs, keepAliveMs, bodyProgressMs: progressMs } = limits;
  return {
    limits: { ...DEFAULT_LIMITS, headerBytesMax, headerCountMax, uriBytesMax },
    timeouts: { headerMs, keepAliveMs, progressMs },
    connectionsMax,
    trust: { trusted: new IpRanges(trustedProxies), forwardedFields: forwardedHeaders },
  };
}
