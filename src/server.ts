import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Admin, startAdmin } from "./admin/admin.ts";
import { EventLog } from "./admin/event-log.ts";
import type { AdminSource } from "./admin/source.ts";
import { byAddress, namesOf } from "./config/by-address.ts";
import type { Config } from "./config/config.ts";
import { type ConfigDiff, diffConfigs, keepUntilRestart } from "./config/diff.ts";
import type { PoolEvent } from "./core/events.ts";
import type { Clock } from "./core/kit/clock.ts";
import { Random } from "./core/kit/random.ts";
import { Ledger } from "./core/ledger.ts";
import { DnsSource } from "./discovery/dns.ts";
import { type NameEventKind, Names } from "./discovery/names.ts";
import { EvenerError } from "./errors.ts";
import { Fleet } from "./fleet.ts";
import type { Address } from "./http1/address.ts";
import { Deadlines } from "./http1/deadlines.ts";
import { nowMs } from "./http1/read-clock.ts";
import { LocalPlane } from "./planes/local-plane.ts";
import type { Plane, PlaneCounts } from "./planes/plane.ts";
import type { SessionDump } from "./planes/session-tables.ts";
import { DataThreads } from "./planes/data-threads.ts";
import { connectionsThatFit, openFilesMax } from "./proxy/descriptors.ts";
import { countThreads } from "./planes/thread-count.ts";
import { END_REASONS, type PoolStats } from "./proxy/pool-stats.ts";
import { TicketKeys } from "./proxy/ticket-keys.ts";
import { keptSessionKey } from "./state.ts";
import { VERSION } from "./version.ts";

/** A running Evener: the only place that knows every room. */
export class Server {
  readonly #log: Logger;
  readonly #clock: Clock = { nowMs };
  readonly #deadlines: Deadlines = new Deadlines();
  readonly events: EventLog = new EventLog();
  readonly fleet: Fleet;
  /** Null where the main thread carries the requests. */
  readonly dataThreads: DataThreads | null;
  readonly #plane: Plane;
  readonly #names: Names;
  /** Which {@link Names.version} the plane goes by. */
  #namesVersion = 0;
  /** Changes are made one after the other. */
  #lastChange: Promise<unknown> = Promise.resolve();
  readonly #tending: NodeJS.Timeout;
  readonly #startedAtWallMs: number = Date.now();
  #config: Config;
  #admin: Admin | null = null;
  #isReady = false;
  #isDraining = false;

  private constructor(config: Config, log: Logger) {
    this.#config = config;
    this.#log = log;
    const random = new Random(randomBytes(4).readUInt32LE(0));
    const onEvent = (event: PoolEvent): void => this.#noteEvent(event);
    this.#names = new Names({
      clock: this.#clock,
      random: random.split(4),
      sourceOf: (servers) => new DnsSource(servers),
      pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
      onChange: () => void this.#inTurn(() => this.#renewAddresses()),
      onEvent: (kind, reason, evidence) => this.#noteName(kind, reason, evidence),
    });
    const threads = countThreads(config.threads, (facts, text) => log.warn(facts, text));
    const ledger = new Ledger({ shared: threads > 0, threads: threads + 1 });
    const pseudonym = `evener-${randomBytes(4).toString("hex")}`;
    const tickets = new TicketKeys();
    const shared = { clock: this.#clock, random, deadlines: this.#deadlines, pseudonym, tickets };
    const onThreadDeath = (reason: string, evidence: string): void => this.#noteDeath(reason, evidence);
    const onPrefaceRefused = (address: string, reason: string): void =>
      this.#log.warn({ address, reason }, "connection closed: proxy_protocol");
    const told = { onThreadDeath, onPrefaceRefused };
    const dataKit = { count: threads, ledger, clock: this.#clock, pseudonym, tickets, ...told };
    this.dataThreads = threads === 0 ? null : new DataThreads(dataKit);
    this.fleet = new Fleet({
      ledger,
      clock: this.#clock,
      random,
      onEvent,
      turnstileOf: (pool) => this.dataThreads?.boardOf(pool),
    });
    this.dataThreads?.listenTo((lease) => this.fleet.witnessOf(lease));
    const localKit = { ...shared, threads: 1, onPrefaceRefused };
    this.#plane = this.dataThreads ?? new LocalPlane(config, ledger, localKit);
    this.#tending = setInterval(() => this.fleet.tend(), TEND_EVERY_MS);
  }

  /** Starts everything that the configuration asks for. Throws EvenerError, with nothing left running. */
  static async start(config: Config, log: Logger): Promise<Server> {
    const server = new Server(config, log);
    try {
      await server.#names.follow(namesOf(config), config.resolvers);
      await server.#inTurn(() => server.#apply(config));
      await server.#plane.listen(config.listeners);
      await server.#startAdmin(config);
    } catch (error) {
      await server.stop(0);
      throw error;
    }
    server.#isReady = true;
    server.#noteDescriptors();
    return server;
  }

  get config(): Config {
    return this.#config;
  }

  /** The addresses that requests come in by; the port is the real one where 0 was asked for. */
  addresses(): Address[] {
    return this.#plane.addresses();
  }

  /** What was counted of all requests and connections. */
  counts(): PlaneCounts {
    return this.#plane.counts();
  }

  /** What was counted of one pool's requests. */
  stats(pool: string): PoolStats {
    return this.#plane.stats(pool);
  }

  /** The learned sessions of all pools as plain data: for another process that takes over. */
  exportSessions(): SessionDump {
    return this.#plane.sessions.dump();
  }

  /** Takes over learned sessions, as far as pools of that name learn by the same cookie or header. */
  importSessions(dump: SessionDump): Promise<void> {
    return this.#plane.loadSessions(dump);
  }

  /** Client connections now. */
  get connections(): number {
    return this.counts().clientConnections;
  }

  /** Client connections that did not come through the handshake of TLS so far. */
  get failedHandshakes(): number {
    return this.#plane.counts().failedHandshakes;
  }

  /** Where the admin listener is, or null. */
  get adminAddress(): { host: string; port: number } | null {
    const { admin } = this.#config;
    return admin === null || this.#admin === null ? null : { host: admin.host, port: this.#admin.port };
  }

  /**
   * Goes on with another configuration: streams, counts and sessions survive. Throws EvenerError (a listener
   * that can not be opened) and keeps the one before then. Returns what has changed, and what of it needs a
   * restart.
   */
  reload(config: Config): Promise<ConfigDiff> {
    return this.#inTurn(() => this.#reload(config));
  }

  /** Rejects with the system's error; the old file is written to then. */
  reopenLogs(): Promise<void> {
    return this.#plane.reopenLogs();
  }

  /**
   * Stops accepting, lets streams finish for at most `timeoutMs`, closes everything; true when nothing was
   * cut.
   */
  async stop(timeoutMs: number): Promise<boolean> {
    this.#isReady = false;
    this.#isDraining = true;
    this.#names.close();
    const wasClean = await this.#plane.drain(timeoutMs);
    await this.#admin?.close();
    this.fleet.close();
    clearInterval(this.#tending);
    await this.#plane.close();
    this.#deadlines.close();
    return wasClean;
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => {});
    return done;
  }

  async #reload(config: Config): Promise<ConfigDiff> {
    if (this.#isDraining) throw new EvenerError("EVENER_SHUTTING_DOWN", "it is stopping: nothing is opened");
    const before = this.#config;
    try {
      await this.#plane.listen([...before.listeners, ...config.listeners]);
    } catch (error) {
      // Whatever was opened before the one that failed closes again.
      await this.#plane.listen(before.listeners);
      throw error;
    }
    try {
      await this.#names.follow([...namesOf(before), ...namesOf(config)], config.resolvers);
      await this.#apply(config);
      await this.#plane.listen(config.listeners);
      // Only where the file says something else: whoever made the log may have given it a level of its own.
      if (config.logLevel !== before.logLevel) this.#log.level = config.logLevel;
      this.#config = keepUntilRestart(before, config);
    } finally {
      await this.#names.follow(namesOf(this.#config), this.#config.resolvers);
    }
    return diffConfigs(before, config);
  }

  /** Names stand for other addresses: the configuration is carried out once more, with these. */
  async #renewAddresses(): Promise<void> {
    if (this.#isDraining || this.#namesVersion === this.#names.version) return;
    try {
      await this.#apply(this.#config);
    } catch (error) {
      this.#log.error({ problem: (error as Error).message }, "new addresses of names are not used");
    }
  }

  async #apply(written: Config): Promise<void> {
    this.#namesVersion = this.#names.version;
    const config = byAddress(written, (name) => this.#names.addressesOf(name));
    const sessionKeys = config.sessionKeys.length > 0 ? config.sessionKeys : this.#ownSessionKeys(config);
    const pools = this.fleet.apply(config.pools);
    await this.#plane.apply({ config, sessionKeys, pools, update: (pool) => this.fleet.update(pool) });
    this.fleet.keepOnly(new Set(config.pools.map(({ name }) => name)));
  }

  /** Fewer connections than configured are worth a line. */
  #noteDescriptors(): void {
    const configured = this.#config.limits.connectionsMax;
    const connections = connectionsThatFit(configured);
    if (connections === configured) return;
    const descriptors = openFilesMax();
    const text = "limits.connections lowered to what the limit of open files allows; raise it with ulimit -n";
    this.#log.warn({ configured, connections, descriptors }, text);
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
      isReady: () => this.#isReady && !this.#isDraining,
      pools: () =>
        this.fleet.list().map(({ pool, policy }) => {
          pool.ledger.refresh(pool.members.slots);
          return {
            name: pool.name,
            policy,
            pool,
            stats: this.#plane.stats(pool.name),
            sessions: this.#plane.sessions.figures(pool.name),
          };
        }),
      names: () => this.#names.figures(),
      process: () => ({
        ...this.#plane.counts(),
        startedAtWallMs: this.#startedAtWallMs,
        endReasons: END_REASONS,
      }),
    };
  }

  #noteName(kind: NameEventKind, reason: string, evidence: string): void {
    this.#noteEvent({ atMs: this.#clock.nowMs(), pool: "", endpoint: null, kind, reason, evidence });
  }

  #noteDeath(reason: string, evidence: string): void {
    this.#log.error({ reason, evidence }, "a data thread died; another takes its place");
    const [first = ""] = reason.split("\n");
    const atMs = this.#clock.nowMs();
    this.events.append({ atMs, pool: "", endpoint: null, kind: "thread_died", reason: first, evidence });
  }

  #noteEvent(event: PoolEvent): void {
    this.events.append(event);
    const { pool, endpoint, kind, reason, evidence } = event;
    const isNews = kind !== "joined" && kind !== "left";
    this.#log[isNews ? "info" : "debug"]({ pool, backend: endpoint, kind, reason, evidence }, "pool event");
  }
}

const TEND_EVERY_MS = 100;
