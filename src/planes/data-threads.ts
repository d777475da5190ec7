import type { ListenerConfig } from "../config/config.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { LeaseFacts } from "../core/lease.ts";
import type { Placement } from "../core/inference/placement-log.ts";
import type { PromptBook } from "../core/inference/prompt-book.ts";
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
import type { Adoption } from "./adoptions.ts";
import { ThreadGuests } from "./guests.ts";
import type { ThreadPlan } from "./messages.ts";
import type { Plane, PlaneChange, PlaneCounts } from "./plane.ts";
import { RestartPauses } from "./restart-pauses.ts";
import { type SessionDump, type SessionNews, SessionTables } from "./session-tables.ts";
import { SHARES_PORTS } from "./thread-count.ts";
import { StdoutWriter } from "./stdout-writer.ts";
import { isDeath, ThreadHandle } from "./thread-handle.ts";
import { type AskAll, type OnDeaf, ThreadListeners } from "./thread-listeners.ts";

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
  readonly #pauses: RestartPauses = new RestartPauses();
  readonly #draining: NodeJS.Timeout;
  readonly #stdout: StdoutWriter = new StdoutWriter();
  /** Figures of threads that are dead. */
  readonly #past: Figures = new Figures();
  readonly sessions: SessionTables;
  #pools: ReadonlyMap<string, Pool> = new Map();
  #plan: ThreadPlan | null = null;
  readonly #listeners: ThreadListeners;
  readonly guests: ThreadGuests;
  onSessionNews: Plane["onSessionNews"] = null;
  #witnessOf: (lease: LeaseFacts) => Witness | undefined = () => undefined;
  #hasStarted = false;
  #isStopping = false;
  #isClosed = false;

  constructor(kit: DataThreadsKit) {
    this.#kit = kit;
    this.sessions = new SessionTables(kit.clock, null);
    this.#bellsMemory = Doorbells.memory(kit.count + 1);
    this.#bells = new Doorbells(this.#bellsMemory);
    const all: AskAll = (ask) => this.#all(ask);
    this.#listeners = new ThreadListeners(kit.count, all, kit.onDeaf);
    this.guests = new ThreadGuests(all, (number) => this.#threads[number - 1] ?? undefined);
    this.#draining = setInterval(() => this.#tick(), DRAIN_MS);
    void this.#answerBell();
  }

  /** The threads that live: for tests that end one. */
  get living(): readonly ThreadHandle[] {
    return this.#threads.filter((thread) => thread !== null);
  }

  /** What keeps the waiting of that pool in order, as the main thread sees it. */
  boardOf(pool: string): WaitBoard {
    let board = this.#boards.get(pool);
    if (board === undefined) {
      board = new WaitBoard(WaitBoard.memory(this.#kit.count + 1), MAIN, this.#bells, MAIN_WAIT_MS_MAX);
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
        policyMemory: pool.policyMemory,
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

  adopt(sockets: ReadonlyMap<string, Adoption>): void {
    this.#listeners.adopt(sockets);
  }

  listen(listeners: readonly ListenerConfig[]): Promise<void> {
    return this.#listeners.open(listeners);
  }

  addresses(): Address[] {
    return this.#listeners.addresses;
  }

  async drain(timeoutMs: number, isHandedOver = false): Promise<boolean> {
    this.#isStopping = true;
    const asked = this.living.length;
    const answers = await this.#all((thread) =>
      thread.ask({ do: "drain", timeoutMs, isHandedOver }, timeoutMs + DRAIN_ANSWER_MS),
    );
    // One that died meanwhile has cut what it had.
    return answers.length === asked && answers.every((wasClean) => wasClean === true);
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await this.#all((thread) => thread.close());
    this.#isClosed = true;
    this.#bells.ring(MAIN);
    this.#drainReports();
    clearInterval(this.#draining);
  }

  async reopenLogs(): Promise<void> {
    await this.#all((thread) => thread.ask({ do: "reopenLogs" }));
  }

  counts(): PlaneCounts {
    return sumOf(this.#allFigures().map(({ counts }) => counts));
  }

  async placementsOf(requestId: string): Promise<Placement[]> {
    const found = await this.#all((thread) => thread.ask({ do: "placementsOf", requestId }));
    return found.flat() as Placement[];
  }

  async loadSessions(dump: SessionDump): Promise<void> {
    this.sessions.load(dump);
    await this.#all((thread) => thread.ask({ do: "loadSessions", dump }));
  }

  hearSessions(news: readonly SessionNews[]): void {
    this.sessions.hear(news);
    for (const thread of this.living) thread.tell(news);
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
    const { count, ledger, prompts, pseudonym, tickets } = this.#kit;
    const books = { ledger: ledger.storage, prompts: prompts.memory };
    const shared = { ...books, bells: this.#bellsMemory, pseudonym, tickets: tickets.seed() };
    const sessions = this.sessions.dump();
    return new ThreadHandle(
      { number, threads: count, sharesPorts: SHARES_PORTS, sessions, ...shared },
      this.#plan!,
      {
        died: (thread, reason) => this.#bury(thread, reason),
        learned: (thread, news) => this.#passOn(thread, news),
        hasNews: () => this.#drainReports(),
        said: (message) => this.guests.pass(message),
        refused: this.#kit.onPrefaceRefused,
        wrote: this.#stdout.write,
      },
    );
  }

  #passOn(from: ThreadHandle, news: readonly SessionNews[]): void {
    this.sessions.hear(news);
    this.onSessionNews?.(news);
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
    this.guests.buried(number);
    this.#listeners.forget(number);
    this.#past.bury(thread.figures, this.#kit.clock.nowMs());
    this.#threads[number - 1] = null;
    if (this.#isStopping || !this.#hasStarted) return;
    const evidence = `thread ${number}; ${lost} requests in flight ended with it`;
    this.#kit.onThreadDeath(reason, evidence);
    setTimeout(() => this.#replace(number), this.#pauses.after(number, thread.livedMs));
  }

  #replace(number: number): void {
    if (this.#isStopping) return;
    const thread = this.#start(number);
    this.#threads[number - 1] = thread;
    // One without listeners would do nothing, and nobody would notice. A death tells itself.
    const failed = (error: Error): void => thread.kill(error.message);
    thread.ready.catch(failed);
    this.guests.born(thread).catch(failed);
    this.#listeners.ask(thread).catch(failed);
  }

  #tick(): void {
    for (const thread of this.living) thread.watch(SILENT_TICKS_MAX);
    this.#drainReports();
  }

  /** The desks here serve another process: whoever waits there is called as in a thread. */
  async #answerBell(): Promise<void> {
    for (let heard = this.#bells.count(MAIN); !this.#isClosed;) {
      await this.#bells.heard(MAIN, heard);
      heard = this.#bells.count(MAIN);
      for (const pool of this.#pools.values()) pool.serve();
    }
  }

  #drainReports(): void {
    let count = 0;
    for (const { reports } of this.living) count += reports.drain(this.#witnessOf);
    if (count > 0) for (const pool of this.#pools.values()) pool.hasLearned();
  }
}

/** What data threads are made of. */
export interface DataThreadsKit {
  /** How many, 1 to 63. */
  readonly count: number;
  readonly ledger: Ledger;
  readonly prompts: PromptBook;
  readonly clock: Clock;
  readonly pseudonym: string;
  readonly tickets: TicketKeys;
  readonly onPrefaceRefused: (address: string, reason: string) => void;
  /** A thread has no socket for these addresses, and accepts nothing there. */
  readonly onDeaf: OnDeaf;
  readonly onThreadDeath: (reason: string, evidence: string) => void;
}

/** Number of the main thread. */
const MAIN = 0;
/** How fast work is done is known to all threads within that; failures are read at once. */
const DRAIN_MS = 20;
/** About 10 s in which this thread ran and that one said nothing; it should every half second. */
const SILENT_TICKS_MAX = 500;
/** The main thread has more to do than to wait for a lock whose owner it has yet to bury. */
const MAIN_WAIT_MS_MAX = 20;
/** Beyond the drain time, for what is cut then. */
const DRAIN_ANSWER_MS = 10_000;
