import type { ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { LeaseFacts } from "../core/lease.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Witness } from "../core/desk-setup.ts";
import type { Pool } from "../core/pool.ts";
import type { Address } from "../http1/address.ts";
import { Doorbells } from "../core/sharing/doorbells.ts";
import { WaitBoard } from "../core/sharing/wait-board.ts";
import { EvenerError } from "../errors.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import type { TicketKeys } from "../proxy/ticket-keys.ts";
import { Figures, sumOf } from "./figures.ts";
import { Ports } from "./ports.ts";
import type { ThreadPlan, ThreadRequest } from "./messages.ts";
import type { Plane, PlaneChange, PlaneCounts } from "./plane.ts";
import { type SessionDump, type SessionNews, SessionTables } from "./session-tables.ts";
import { SHARES_PORTS } from "./thread-count.ts";
import { StdoutWriter } from "./stdout-writer.ts";
import { isDeath, ThreadHandle } from "./thread-handle.ts";

/**
 * `threads: N`: each data thread has its own sockets, parser and upstream connections; they share the ledger
 * and the order of waiting. One that dies is buried and replaced: its counts are cleared, its locks opened,
 * what it knew last of its figures is kept.
 */
export class DataThreads implements Plane {
  readonly #kit: DataThreadsKit;
  readonly #bells: Doorbells;
  readonly #bellsMemory: SharedArrayBuffer;
  readonly #boards: Map<string, WaitBoard> = new Map();
  /** By number - 1; null between a death and the next start. */
  readonly #threads: (ThreadHandle | null)[] = [];
  /** By number - 1: deaths one soon after the other. */
  readonly #earlyDeaths: number[] = [];
  readonly #draining: NodeJS.Timeout;
  readonly #stdout: StdoutWriter = new StdoutWriter();
  /** Figures of threads that are dead. */
  readonly #past: Figures = new Figures();
  readonly sessions: SessionTables;
  #pools: ReadonlyMap<string, Pool> = new Map();
  #plan: ThreadPlan | null = null;
  #listeners: readonly ListenerConfig[] = [];
  readonly #ports: Ports = new Ports();
  #addresses: Address[] = [];
  #witnessOf: (lease: LeaseFacts) => Witness | undefined = () => undefined;
  #hasStarted = false;
  #isStopping = false;

  constructor(kit: DataThreadsKit) {
    this.#kit = kit;
    this.sessions = new SessionTables(kit.clock, null);
    this.#bellsMemory = Doorbells.memory(kit.count + 1);
    this.#bells = new Doorbells(this.#bellsMemory);
    this.#draining = setInterval(() => this.#tick(), DRAIN_MS);
  }

  /** The threads that live: for tests that end one. */
  get living(): readonly ThreadHandle[] {
    return this.#threads.filter((thread) => thread !== null);
  }

  /** What keeps the waiting of that pool in order, as the main thread sees it. */
  boardOf(pool: string): WaitBoard {
    let board = this.#boards.get(pool);
    if (board === undefined) {
      board = new WaitBoard(WaitBoard.memory(this.#kit.count + 1), 0, this.#bells, MAIN_WAIT_MS_MAX);
      this.#boards.set(pool, board);
    }
    return board;
  }

  /** Who learns from what the threads tell. */
  listenTo(witnessOf: (lease: LeaseFacts) => Witness | undefined): void {
    this.#witnessOf = witnessOf;
  }

  async apply({ config, sessionKeys, pools, update }: PlaneChange): Promise<void> {
    for (const name of pools.keys()) update(name);
    this.#pools = pools;
    this.sessions.configure(config.pools);
    const plan: ThreadPlan = {
      config,
      sessionKeys,
      pools: [...pools].map(([name, pool]) => ({
        name,
        board: this.boardOf(name).memory,
        endpoints: pool.members.list.map(({ spec, slot, generation }) => ({ spec, slot, generation })),
      })),
    };
    // Before anybody is asked: a thread that takes another's place meanwhile begins with it.
    this.#plan = plan;
    if (!this.#hasStarted) await this.#startAll();
    else {
      await this.#all(async (thread) => {
        // One that goes by another plan than the rest is worth nothing.
        await thread.ask({ do: "apply", plan }).catch((error: Error) => thread.kill(error.message));
      });
    }
    this.#kit.ledger.allKnowWhoLeft();
    for (const name of this.#boards.keys()) if (!pools.has(name)) this.#boards.delete(name);
    for (const figures of this.#allFigures()) figures.keepOnly(config.pools);
  }

  async listen(listeners: readonly ListenerConfig[]): Promise<void> {
    const before = this.#listeners;
    const held = await this.#ports.choose(listeners, before);
    this.#listeners = listeners;
    try {
      const answers = await this.#all((thread) => thread.ask(this.#listenRequest(thread.number)));
      if (answers.length > 0) this.#addresses = answers[0] as Address[];
    } catch (error) {
      // What some of them have opened is closed again.
      this.#listeners = before;
      await this.#all((thread) => thread.ask(this.#listenRequest(thread.number))).catch(() => {});
      throw error;
    } finally {
      for (const { letGo } of held) letGo();
    }
  }

  addresses(): Address[] {
    return this.#addresses;
  }

  async drain(timeoutMs: number): Promise<boolean> {
    this.#isStopping = true;
    const asked = this.living.length;
    const answers = await this.#all((thread) =>
      thread.ask({ do: "drain", timeoutMs }, timeoutMs + DRAIN_ANSWER_MS),
    );
    // One that died meanwhile has cut what it had.
    return answers.length === asked && answers.every((wasClean) => wasClean === true);
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await this.#all((thread) => thread.close());
    this.#drainReports();
    clearInterval(this.#draining);
  }

  async reopenLogs(): Promise<void> {
    await this.#all((thread) => thread.ask({ do: "reopenLogs" }));
  }

  counts(): PlaneCounts {
    return sumOf(this.#allFigures().map(({ counts }) => counts));
  }

  async loadSessions(dump: SessionDump): Promise<void> {
    this.sessions.load(dump);
    await this.#all((thread) => thread.ask({ do: "loadSessions", dump }));
  }

  stats(pool: string): PoolStats {
    const sum = new PoolStats();
    const nowMs = this.#kit.clock.nowMs();
    for (const figures of this.#allFigures()) {
      const stats = figures.find(pool);
      if (stats !== undefined) sum.add(stats, nowMs);
    }
    return sum;
  }

  #allFigures(): Figures[] {
    return [this.#past, ...this.living.map(({ figures }) => figures)];
  }

  /** At the beginning all of them must come up: what keeps one from it would keep every other. */
  async #startAll(): Promise<void> {
    for (let number = 1; number <= this.#kit.count; number++) this.#threads.push(this.#start(number));
    await Promise.all(this.living.map(({ ready }) => ready)).catch((error: Error) => {
      if (!isDeath(error)) throw error;
      throw new EvenerError("EVENER_INTERNAL", `a data thread died at its start: ${error.message}`);
    });
    this.#hasStarted = true;
  }

  #start(number: number): ThreadHandle {
    const { count, ledger, pseudonym, tickets } = this.#kit;
    const shared = { ledger: ledger.storage, bells: this.#bellsMemory, pseudonym, tickets: tickets.seed() };
    const sessions = this.sessions.dump();
    return new ThreadHandle(
      { number, threads: count, sharesPorts: SHARES_PORTS, sessions, ...shared },
      this.#plan!,
      {
        died: (thread, reason) => this.#bury(thread, reason),
        learned: (thread, news) => this.#passOn(thread, news),
        refused: this.#kit.onPrefaceRefused,
        wrote: this.#stdout.write,
      },
    );
  }

  #passOn(from: ThreadHandle, news: readonly SessionNews[]): void {
    this.sessions.hear(news);
    for (const thread of this.living) if (thread !== from) thread.tell(news);
  }

  /** All threads that live; the first refusal is thrown, a death in between is not. */
  async #all<T>(ask: (thread: ThreadHandle) => Promise<T>): Promise<T[]> {
    const answers = await Promise.allSettled(this.living.map(ask));
    const refused = answers.find((answer) => answer.status === "rejected" && !isDeath(answer.reason));
    if (refused?.status === "rejected") throw refused.reason;
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** A thread is dead: nothing of it may stay booked, locked or in the way, and another takes its place. */
  #bury(thread: ThreadHandle, reason: string): void {
    const { number } = thread;
    thread.reports.drain(this.#witnessOf);
    for (const board of this.#boards.values()) board.beginBurial(number);
    const lost = this.#kit.ledger.forgetThread(number);
    for (const board of this.#boards.values()) board.endBurial();
    this.#past.bury(thread.figures, this.#kit.clock.nowMs());
    this.#threads[number - 1] = null;
    if (this.#isStopping || !this.#hasStarted) return;
    const evidence = `thread ${number}; ${lost} requests in flight ended with it`;
    this.#kit.onThreadDeath(reason, evidence);
    setTimeout(() => this.#replace(number), this.#pauseMs(thread));
  }

  /** At once, but for one that dies again and again. */
  #pauseMs({ number, livedMs }: ThreadHandle): number {
    const deaths = livedMs < EARLY_MS ? (this.#earlyDeaths[number - 1] ?? 0) + 1 : 0;
    this.#earlyDeaths[number - 1] = deaths;
    if (deaths === 0) return 0;
    const pauseMs = Math.min(RESTART_MS * 2 ** (deaths - 1), RESTART_MS_MAX);
    // Not all at the same moment.
    return pauseMs * (0.5 + Math.random() / 2);
  }

  #replace(number: number): void {
    if (this.#isStopping) return;
    const thread = this.#start(number);
    this.#threads[number - 1] = thread;
    // One without listeners would do nothing, and nobody would notice. A death tells itself.
    const failed = (error: Error): void => thread.kill(error.message);
    thread.ready.catch(failed);
    thread.ask(this.#listenRequest(number)).catch(failed);
  }

  #tick(): void {
    for (const thread of this.living) thread.watch(SILENT_TICKS_MAX);
    this.#drainReports();
  }

  #drainReports(): void {
    let count = 0;
    for (const { reports } of this.living) count += reports.drain(this.#witnessOf);
    if (count > 0) for (const pool of this.#pools.values()) pool.hasLearned();
  }

  /** A unix socket has no port to share: the first thread alone listens there. */
  #listenRequest(thread: number): Extract<ThreadRequest, { do: "listen" }> {
    const mine = this.#listeners.filter(({ socketPath }) => socketPath === null || thread === 1);
    const listeners = mine.map((listener) => ({
      ...listener,
      port: this.#ports.of(listener),
    }));
    return { do: "listen", listeners };
  }
}

/** What data threads are made of. */
export interface DataThreadsKit {
  /** How many, 1 to 63. */
  readonly count: number;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly pseudonym: string;
  readonly tickets: TicketKeys;
  readonly onPrefaceRefused: (address: string, reason: string) => void;
  readonly onThreadDeath: (reason: string, evidence: string) => void;
}

/** Ejections and lessons are seen by all threads within that. */
const DRAIN_MS = 5;
/** About 10 s in which this thread ran and that one said nothing; it should every half second. */
const SILENT_TICKS_MAX = 2_000;
/** The main thread has more to do than to wait for a lock whose owner it has yet to bury. */
const MAIN_WAIT_MS_MAX = 20;
/** Beyond the drain time, for what is cut then. */
const DRAIN_ANSWER_MS = 10_000;
/** A thread that died so soon after its start is not started again at once. */
const EARLY_MS = 2_000;
const RESTART_MS = 500;
const RESTART_MS_MAX = 10_000;
