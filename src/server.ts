import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { EventLog } from "./admin/event-log.ts";
import { adminSource } from "./admin-source.ts";
import { byAddress, namesOf } from "./config/by-address.ts";
import type { Config } from "./config/config.ts";
import { type ConfigDiff, diffConfigs, keepUntilRestart } from "./config/diff.ts";
import { Random } from "./core/kit/random.ts";
import { PromptBook } from "./core/inference/prompt-book.ts";
import { Ledger } from "./core/ledger.ts";
import { DnsSource } from "./discovery/dns.ts";
import { Names } from "./discovery/names.ts";
import { EvenerError } from "./errors.ts";
import { Fleet } from "./fleet.ts";
import { type Heritage, NO_HERITAGE, Succession } from "./handover/succession.ts";
import type { Address } from "./http1/address.ts";
import { Deadlines } from "./http1/deadlines.ts";
import { readClock } from "./http1/read-clock.ts";
import { Identity } from "./identity.ts";
import { Journal } from "./journal.ts";
import { LocalPlane } from "./planes/local-plane.ts";
import type { Plane, PlaneCounts } from "./planes/plane.ts";
import type { SessionDump } from "./planes/session-tables.ts";
import { DataThreads } from "./planes/data-threads.ts";
import { countThreads } from "./planes/thread-count.ts";
import type { PoolStats } from "./proxy/pool-stats.ts";
import { SideDoors } from "./side-doors.ts";

/** A running Evener: the only place that knows every room. */
export class Server {
  readonly #log: Logger;
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #journal: Journal;
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
  readonly #identity: Identity;
  readonly #succession: Succession;
  #config: Config;
  readonly #doors: SideDoors;
  #isReady = false;
  #isDraining = false;

  private constructor(config: Config, log: Logger, heritage: Heritage) {
    this.#config = config;
    this.#log = log;
    const journal = new Journal(log, readClock);
    this.#journal = journal;
    const random = new Random(randomBytes(4).readUInt32LE(0));
    this.#names = new Names({
      clock: readClock,
      random: random.split(4),
      sourceOf: (servers) => new DnsSource(servers),
      pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
      onChange: () => void this.#inTurn(() => this.#renewAddresses()),
      onEvent: (kind, reason, evidence) => journal.noteOwn(kind, reason, evidence),
    });
    const threads = countThreads(config.threads, (facts, text) => log.warn(facts, text));
    const ledger = new Ledger({ shared: threads > 0, threads: threads + 1 });
    const books = { ledger, prompts: PromptBook.of(ledger) };
    this.#identity = new Identity(heritage.predecessor?.hello.secrets ?? null);
    const { pseudonym, tickets } = this.#identity;
    const shared = { clock: readClock, random, deadlines: this.#deadlines, pseudonym, tickets };
    const told = journal.ofPlanes;
    const dataKit = { count: threads, ...books, clock: readClock, pseudonym, tickets, ...told };
    this.dataThreads = threads === 0 ? null : new DataThreads(dataKit);
    this.fleet = new Fleet({
      ...books,
      clock: readClock,
      random,
      onEvent: (event) => journal.note(event),
      turnstileOf: (pool) => this.dataThreads?.boardOf(pool),
    });
    this.dataThreads?.listenTo((lease) => this.fleet.witnessOf(lease));
    this.#plane = this.dataThreads ?? new LocalPlane(config, ledger, { ...shared, ...told, threads: 1 });
    this.#succession = new Succession(heritage, {
      plane: this.#plane,
      clock: readClock,
      poolOf: (name) => this.fleet.find(name),
      recall: ({ pool, endpoints }) => this.fleet.recall(pool, endpoints, readClock.nowMs()),
      memories: () => this.fleet.memories(readClock.nowMs()),
      note: journal.noteOwn.bind(journal),
      warn: (facts, text) => log.warn(facts, text),
    });
    const source = adminSource({
      events: this.events,
      fleet: this.fleet,
      plane: this.#plane,
      names: this.#names,
      isReady: () => this.#isReady && !this.#isDraining,
    });
    this.#doors = new SideDoors({ source, deadlines: this.#deadlines, random: random.split(5), log });
    this.#tending = setInterval(() => this.fleet.tend(), TEND_EVERY_MS);
  }

  /**
   * Starts everything that the configuration asks for. Throws EvenerError, with nothing left running.
   * `heritage`: what another process has passed on to this one.
   */
  static async start(config: Config, log: Logger, heritage: Heritage = NO_HERITAGE): Promise<Server> {
    const server = new Server(config, log, heritage);
    try {
      await server.#names.follow(namesOf(config), config.resolvers);
      await server.#inTurn(() => server.#apply(config));
      await server.#succession.begin(config);
      await server.#plane.listen(config.listeners);
      await server.#doors.open(config, server.#succession);
    } catch (error) {
      await heritage.predecessor?.failed((error as Error).message);
      await server.stop(0);
      throw error;
    }
    server.#isReady = true;
    server.#succession.listening();
    server.#journal.noteConnections(config.limits.connectionsMax);
    return server;
  }

  get events(): EventLog {
    return this.#journal.events;
  }

  /** Resolves when nobody accepts any more at an address whose sockets came from another process. */
  get lost(): Promise<void> {
    return this.#journal.lost;
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
    return this.#doors.admin;
  }

  /** Where the task listener is, or null. */
  get tasksAddress(): { host: string; port: number } | null {
    return this.#doors.tasks;
  }

  /**
   * Goes on with another configuration: streams, counts and sessions survive. Throws EvenerError (a listener
   * that can not be opened) and keeps the one before then. Returns what has changed, and what of it needs a
   * restart.
   */
  reload(config: Config): Promise<ConfigDiff> {
    return this.#inTurn(() => this.#reload(config));
  }

  /**
   * Starts another process by `command` (program and arguments) that goes on in place of this one, with the
   * same listening sockets. Resolves when it takes requests: then this one is to be stopped. Rejects with
   * EVENER_HANDOVER_FAILED, and goes on as if nothing had been.
   */
  handOver(command: readonly string[]): Promise<void> {
    const { obstacle } = this.#succession;
    if (obstacle !== null) return Promise.reject(obstacle);
    return this.#inTurn(async () => {
      const { config, adminAddress } = this;
      const realm = { config, adminAddress, addresses: this.addresses(), secrets: this.#identity.secrets() };
      await this.#succession.handOver(command, realm);
      // Nothing changes here any more.
      this.#isDraining = true;
    });
  }

  /** Another process has taken over. */
  get isHandedOver(): boolean {
    return this.#succession.isHandedOver;
  }

  /** Rejects with the system's error; the old file is written to then. */
  reopenLogs(): Promise<void> {
    this.#succession.reopenLogs();
    return this.#plane.reopenLogs();
  }

  /**
   * Stops accepting, lets streams finish for at most `timeoutMs`, closes everything; true when nothing was
   * cut.
   */
  async stop(timeoutMs: number): Promise<boolean> {
    const { isHandedOver } = this.#succession;
    this.#succession.stop();
    this.#isDraining = true;
    this.#names.close();
    // The next process answers there from now on.
    if (isHandedOver) await this.#doors.closeAdmin();
    const wasClean = await this.#plane.drain(timeoutMs, isHandedOver);
    await this.#doors.close();
    this.#succession.drained();
    this.fleet.close();
    clearInterval(this.#tending);
    await this.#plane.close();
    await this.#succession.leave();
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
    const diff = diffConfigs(before, config);
    if (diff.isEmpty) return diff;
    try {
      await this.#plane.listen([...before.listeners, ...config.listeners]);
    } catch (error) {
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
    return diff;
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
    const sessionKeys = this.#identity.sessionKeys(config);
    const pools = this.fleet.apply(config.pools);
    await this.#plane.apply({ config, sessionKeys, pools, update: (pool) => this.fleet.update(pool) });
    this.fleet.keepOnly(new Set(config.pools.map(({ name }) => name)));
  }
}

const TEND_EVERY_MS = 100;
