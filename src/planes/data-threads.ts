import { write } from "node:fs";
import type { ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { LeaseFacts } from "../core/lease.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Witness } from "../core/desk.ts";
import { UNLIMITED } from "../core/ledger.ts";
import type { Pool } from "../core/pool.ts";
import { type Address, addressText } from "../http1/address.ts";
import { Doorbells } from "../core/sharing/doorbells.ts";
import { WaitBoard } from "../core/sharing/wait-board.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import { probePort } from "../proxy/listener.ts";
import type { TicketKeys } from "../proxy/ticket-keys.ts";
import type { ThreadPlan, ThreadRequest } from "./messages.ts";
import type { Plane, PlaneChange, PlaneCounts } from "./plane.ts";
import { type SessionDump, type SessionNews, SessionTables } from "./session-tables.ts";
import { ThreadHandle } from "./thread-handle.ts";

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
  readonly #threads: (ThreadHandle | null)[] = [];
  readonly #draining: NodeJS.Timeout;
  /** Figures of threads that are dead. */
  readonly #past: Map<string, PoolStats> = new Map();
  readonly #pastCounts: PlaneCounts[] = [];
  readonly sessions: SessionTables;
  #pools: ReadonlyMap<string, Pool> = new Map();
  #plan: ThreadPlan | null = null;
  #listeners: readonly ListenerConfig[] = [];
  /** Ports that are listened on, by the address as configured: of port 0 the one that was found. */
  readonly #ports: Map<string, number> = new Map();
  #addresses: Address[] = [];
  #witnessOf: (lease: LeaseFacts) => Witness | undefined = () => undefined;
  #isStopping = false;

  constructor(kit: DataThreadsKit) {
    this.#kit = kit;
    this.sessions = new SessionTables(kit.clock, null);
    this.#bellsMemory = Doorbells.memory(kit.count + 1);
    this.#bells = new Doorbells(this.#bellsMemory);
    this.#draining = setInterval(() => this.#drainReports(), DRAIN_MS);
  }

  /** What keeps the waiting of that pool in order, as the main thread sees it. */
  boardOf(pool: string): WaitBoard {
    let board = this.#boards.get(pool);
    if (board === undefined) {
      board = new WaitBoard(WaitBoard.memory(this.#kit.count + 1), 0, this.#bells);
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
    this.#noteScarcity();
    this.#plan = {
      config,
      sessionKeys,
      pools: [...pools].map(([name, pool]) => ({
        name,
        board: this.boardOf(name).memory,
        endpoints: pool.members.list.map(({ spec, slot, generation }) => ({ spec, slot, generation })),
      })),
    };
    const request = { do: "apply", plan: this.#plan } as const;
    if (this.#threads.length === 0) {
      for (let i = 1; i <= this.#kit.count; i++) this.#threads.push(this.#start(i));
    } else await this.#all((thread) => thread.ask(request));
    this.#kit.ledger.allKnowWhoLeft();
    for (const name of this.#boards.keys()) if (!pools.has(name)) this.#boards.delete(name);
  }

  async listen(listeners: readonly ListenerConfig[]): Promise<void> {
    const open = new Set(this.#listeners.map(addressText));
    let sought = listeners.filter((one) => one.socketPath === null && !open.has(addressText(one)));
    for (let round = 1; ; round++) {
      // Sockets that share a port would share it with any other program that does.
      for (const one of sought) this.#ports.set(addressText(one), await probePort(one, listeners));
      this.#listeners = listeners;
      try {
        const answers = await this.#all((thread) => thread.ask(this.#listenRequest(thread.number)));
        this.#addresses = (answers[0] as Address[] | undefined) ?? [];
        return;
      } catch (error) {
        // A port that was free when it was looked for may be another program's by now; there are others.
        sought = sought.filter(({ port }) => port === 0);
        if (sought.length === 0 || round === ROUNDS_MAX) throw error;
      }
    }
  }

  addresses(): Address[] {
    return this.#addresses;
  }

  async drain(timeoutMs: number): Promise<boolean> {
    this.#isStopping = true;
    const answers = await this.#all((thread) => thread.ask({ do: "drain", timeoutMs }));
    return answers.every((wasClean) => wasClean === true);
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await this.#all((thread) => thread.close());
    this.#drainReports();
    clearInterval(this.#draining);
  }

  reopenLogs(): void {
    void this.#all((thread) => thread.ask({ do: "reopenLogs" }));
  }

  counts(): PlaneCounts {
    const all = [...this.#pastCounts, ...this.#threads.flatMap((thread) => thread?.counts ?? [])];
    const sum = (key: keyof PlaneCounts): number => all.reduce((total, counts) => total + counts[key], 0);
    return {
      clientConnections: sum("clientConnections"),
      answeredLocally: sum("answeredLocally"),
      unrouted: sum("unrouted"),
      malformed: sum("malformed"),
      refusedPrefaces: sum("refusedPrefaces"),
      failedHandshakes: sum("failedHandshakes"),
      accessLogDropped: sum("accessLogDropped"),
      lateSettles: sum("lateSettles"),
    };
  }

  async loadSessions(dump: SessionDump): Promise<void> {
    this.sessions.load(dump);
    await this.#all((thread) => thread.ask({ do: "loadSessions", dump }));
  }

  stats(pool: string): PoolStats {
    const sum = new PoolStats();
    const nowMs = this.#kit.clock.nowMs();
    const past = this.#past.get(pool);
    if (past !== undefined) sum.add(past, nowMs);
    for (const thread of this.#threads) {
      const stats = thread?.stats.get(pool);
      if (stats !== undefined) sum.add(stats, nowMs);
    }
    return sum;
  }

  #start(number: number): ThreadHandle {
    const { count, ledger, pseudonym, tickets } = this.#kit;
    const shared = { ledger: ledger.storage, bells: this.#bellsMemory, pseudonym, tickets: tickets.seed() };
    const sessions = this.sessions.dump();
    return new ThreadHandle({ number, threads: count, sessions, ...shared }, this.#plan!, {
      died: (thread, reason) => this.#bury(thread, reason),
      learned: (thread, news) => this.#passOn(thread, news),
      refused: this.#kit.onPrefaceRefused,
      wrote: (bytes, done) => write(STDOUT, bytes, done),
    });
  }

  #passOn(from: ThreadHandle, news: readonly SessionNews[]): void {
    this.sessions.hear(news);
    for (const thread of this.#threads) if (thread !== null && thread !== from) thread.tell(news);
  }

  /** All threads that live; the first refusal is thrown, a death in between is not. */
  async #all<T>(ask: (thread: ThreadHandle) => Promise<T>): Promise<T[]> {
    const living = this.#threads.filter((thread) => thread !== null);
    const answers = await Promise.allSettled(living.map(ask));
    const refused = answers.find((answer) => answer.status === "rejected" && !isDeath(answer.reason));
    if (refused?.status === "rejected") throw refused.reason;
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** A thread is dead: nothing of it may stay booked, locked or in the way, and another takes its place. */
  #bury(thread: ThreadHandle, reason: string): void {
    const { number } = thread;
    thread.reports.drain(this.#witnessOf);
    const lost = this.#kit.ledger.forgetThread(number);
    for (const board of this.#boards.values()) board.bury(number);
    this.#bells.ringAll();
    this.#keepFigures(thread);
    this.#threads[number - 1] = null;
    if (this.#isStopping) return;
    const evidence = `thread ${number}; ${lost} requests in flight ended with it`;
    this.#kit.onThreadDeath(reason, evidence);
    setTimeout(() => void this.#replace(number), thread.livedMs < CRASH_LOOP_MS ? RESTART_MS : 0);
  }

  async #replace(number: number): Promise<void> {
    if (this.#isStopping) return;
    const thread = this.#start(number);
    this.#threads[number - 1] = thread;
    // Its death in between is told by itself.
    await thread.ask(this.#listenRequest(number)).catch(() => {});
  }

  #keepFigures(thread: ThreadHandle): void {
    const nowMs = this.#kit.clock.nowMs();
    for (const [pool, stats] of thread.stats) {
      const past = this.#past.get(pool) ?? new PoolStats();
      past.add(stats, nowMs);
      // They ended with it.
      past.tunnels = 0;
      this.#past.set(pool, past);
    }
    if (thread.counts !== null) this.#pastCounts.push({ ...thread.counts, clientConnections: 0 });
  }

  #drainReports(): void {
    for (const thread of this.#threads) thread?.reports.drain(this.#witnessOf);
    this.#noteScarcity();
  }

  /** Places are scarce where somebody has a limit: then choosing goes one at a time. */
  #noteScarcity(): void {
    for (const [name, { members, ledger }] of this.#pools) {
      const isScarce = members.slots.some((slot) => ledger.limit[slot] !== UNLIMITED);
      this.boardOf(name).isScarce = isScarce;
    }
  }

  /** A unix socket has no port to share: the first thread alone listens there. */
  #listenRequest(thread: number): Extract<ThreadRequest, { do: "listen" }> {
    const mine = this.#listeners.filter(({ socketPath }) => socketPath === null || thread === 1);
    const listeners = mine.map((listener) => ({
      ...listener,
      port: this.#ports.get(addressText(listener)) ?? listener.port,
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
  readonly onPrefaceRefused: (address: string, reason: string) => void;
  readonly tickets: TicketKeys;
  readonly onThreadDeath: (reason: string, evidence: string) => void;
}

const STDOUT = 1;
/** Tries to listen on a port of our own choice. */
const ROUNDS_MAX = 5;
/** Ejections and lessons are seen by all threads within that. */
const DRAIN_MS = 5;
/** A thread that died so soon after its start is not started again at once. */
const CRASH_LOOP_MS = 2_000;
const RESTART_MS = 500;

function isDeath(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "ThreadDeath";
}
