// The program of one data thread: a data plane with desks of its own, on the ledger of all.
import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { PoolConfig } from "../config/config.ts";
import { Desk } from "../core/desk.ts";
import { Endpoint } from "../core/endpoint.ts";
import { EndpointHealth } from "../core/health/endpoint-health.ts";
import { Outlier } from "../core/health/outlier.ts";
import { OUTLIER_OFF } from "../core/caretaker.ts";
import { GuestLine } from "../core/handover/guest-line.ts";
import type { GuestMessage, HostMessage } from "../core/handover/messages.ts";
import { PromptBook } from "../core/inference/prompt-book.ts";
import type { Clock } from "../core/kit/clock.ts";
import { hashText } from "../core/kit/hash.ts";
import { Random } from "../core/kit/random.ts";
import { Ledger } from "../core/ledger.ts";
import { createPolicy } from "../core/policies/create.ts";
import type { Policy, PolicyMemory } from "../core/policies/policy.ts";
import { Roster } from "../core/roster.ts";
import { Doorbells } from "../core/sharing/doorbells.ts";
import { ReportWriter } from "../core/sharing/report-ring.ts";
import { WaitBoard } from "../core/sharing/wait-board.ts";
import { EvenerError } from "../errors.ts";
import { TicketKeys } from "../proxy/ticket-keys.ts";
import { Deadlines } from "../http1/deadlines.ts";
import { readClock } from "../http1/read-clock.ts";
import { DataPlane } from "./data-plane.ts";
import { deskOptions } from "./desk-options.ts";
import type { SessionNews } from "./session-tables.ts";
import { SessionMail } from "./session-mail.ts";
import {
  READY,
  type ThreadMessage,
  type ThreadNote,
  type ThreadPlan,
  type ThreadPool,
  type ThreadRequest,
  type ThreadSetup,
} from "./messages.ts";

class DataThread {
  readonly #setup: ThreadSetup;
  readonly #clock: Clock;
  readonly #random: Random = new Random(randomBytes(4).readUInt32LE(0));
  readonly #ledger: Ledger;
  readonly #prompts: PromptBook;
  readonly #bells: Doorbells;
  readonly #reports: ReportWriter;
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #plane: DataPlane;
  readonly #desks: Map<string, ThreadDesk> = new Map();
  /** Null while leases are given here. */
  #line: GuestLine | null = null;
  readonly #mail: SessionMail = new SessionMail((news) => say({ kind: "sessions", news }));

  constructor(setup: ThreadSetup) {
    this.#setup = setup;
    const aheadMs = beganAtMs() - setup.clockBeganAtMs;
    this.#clock = { nowMs: () => readClock.nowMs() + aheadMs };
    this.#ledger = Ledger.open(setup.ledger, setup.thread);
    this.#prompts = new PromptBook(setup.prompts);
    this.#bells = new Doorbells(setup.bells);
    this.#reports = new ReportWriter(setup.reports, this.#ledger, setup.thread, () =>
      say({ kind: "urgent" }),
    );
    this.#plane = new DataPlane(setup.plan.config, {
      clock: this.#clock,
      random: this.#random,
      deadlines: this.#deadlines,
      pseudonym: setup.pseudonym,
      tickets: new TicketKeys(setup.tickets),
      threads: setup.threads,
      writeStdout,
      onPrefaceRefused: (address, reason) => say({ kind: "refused", address, reason }),
      onSessionNews: (news) => this.#mail.post(news),
    });
    this.#apply(setup.plan);
    this.#plane.sessions.load(setup.sessions);
    setInterval(() => this.#tend(), TEND_MS);
    setInterval(() => this.#tell(), TELL_MS);
    void this.#answerBell();
  }

  async do(request: ThreadRequest): Promise<unknown> {
    switch (request.do) {
      case "apply":
        return this.#apply(request.plan);
      case "listen":
        await this.#plane.proxy.listen(request.listeners, this.#setup.sharesPorts);
        return this.#plane.proxy.addresses();
      case "drain":
        return this.#plane.proxy.drain(request.timeoutMs, request.isHandedOver);
      case "reopenLogs":
        return this.#plane.reopenLogs();
      case "placementsOf":
        return this.#plane.placementsOf(request.requestId);
      case "loadSessions":
        return this.#plane.sessions.load(request.dump);
      case "becomeGuest":
        this.#line = new GuestLine(this.#setup.thread, tellGuest, request.ticketsBefore);
        return this.#line.begin(this.#allDesks());
      case "standAlone":
        this.#line?.end(this.#allDesks());
        this.#line = null;
        return;
      case "close":
        await this.#plane.close();
        this.#mail.flush();
        return this.#tell();
    }
  }

  hearHost(message: HostMessage): void {
    this.#line?.hear(message);
  }

  /** What other threads have learned. */
  hear(news: readonly SessionNews[]): void {
    this.#plane.sessions.hear(news);
  }

  #apply({ config, sessionKeys, pools }: ThreadPlan): void {
    const byName = new Map(pools.map((pool) => [pool.name, pool]));
    for (const pool of config.pools) this.#configure(pool, byName.get(pool.name)!);
    this.#plane.apply(
      config,
      sessionKeys,
      (name) => this.#desks.get(name)!.desk,
      (name) => this.#desks.get(name)!.update(byName.get(name)!.endpoints.map(toEndpoint)),
    );
    for (const [name, desk] of this.#desks) {
      if (byName.has(name)) continue;
      desk.close();
      this.#desks.delete(name);
    }
  }

  #configure(config: PoolConfig, { board, policyMemory }: ThreadPool): void {
    let desk = this.#desks.get(config.name);
    if (desk === undefined) {
      const { thread, threads } = this.#setup;
      const turnstile = new WaitBoard(board, thread, this.#bells);
      const kept = { ledger: this.#ledger, clock: this.#clock, witness: this.#reports };
      const shared = { ...kept, turnstile, thread, threads };
      desk = new ThreadDesk(config, shared, { random: this.#random, prompts: this.#prompts }, policyMemory);
      this.#desks.set(config.name, desk);
    }
    desk.configure(config, policyMemory);
  }

  #allDesks(): Desk[] {
    return [...this.#desks.values()].map(({ desk }) => desk);
  }

  #tend(): void {
    for (const { desk } of this.#desks.values()) desk.tend();
  }

  /** Whoever waits here may be served: another thread has made room. */
  async #answerBell(): Promise<void> {
    const { thread } = this.#setup;
    for (let heard = this.#bells.count(thread); ;) {
      await this.#bells.heard(thread, heard);
      // Before serving: a ring in the middle of it may be meant for a desk that has been served already.
      heard = this.#bells.count(thread);
      for (const { desk } of this.#desks.values()) desk.serve();
    }
  }

  #tell(): void {
    const pools = [...this.#plane.traffic].map(([name, { stats }]) => [name, stats.takeNews()] as const);
    const { lateSettles } = this.#ledger;
    const counts = { ...this.#plane.counts(), lateSettles, lessonsDropped: this.#reports.dropped };
    say({ kind: "figures", figures: { counts, pools } });
  }
}

/** A desk, and what it is made of anew when the configuration changes. */
class ThreadDesk {
  readonly desk: Desk;
  readonly #ledger: Ledger;
  readonly #kit: DeskKit;
  #config: PoolConfig;
  #known: Map<number, Endpoint> = new Map();

  constructor(config: PoolConfig, shared: SharedParts, kit: DeskKit, memory: PolicyMemory | undefined) {
    this.#config = config;
    this.#ledger = shared.ledger;
    this.#kit = kit;
    const options = deskOptions(config);
    const policy = this.#policy(config, memory);
    this.desk = new Desk({ ...shared, name: config.name, roster: new Roster(), policy, options });
  }

  configure(config: PoolConfig, memory: PolicyMemory | undefined): void {
    const isSamePolicy = JSON.stringify(config.policy) === JSON.stringify(this.#config.policy);
    this.desk.configureDesk(deskOptions(config), isSamePolicy ? null : this.#policy(config, memory));
    this.#config = config;
  }

  /** Those that stay remain the same objects: leases point to them. */
  update(endpoints: readonly Endpoint[]): void {
    const next = endpoints.map((endpoint) => {
      const known = this.#known.get(endpoint.slot);
      if (known === undefined || known.generation !== endpoint.generation) {
        this.desk.joined(endpoint);
        return endpoint;
      }
      known.spec = endpoint.spec;
      return known;
    });
    this.#known = new Map(next.map((endpoint) => [endpoint.slot, endpoint]));
    this.desk.roster.set(next);
    this.desk.rosterChanged();
  }

  /** Requests that go by an older plan find nobody: the slots may belong to other pools soon. */
  close(): void {
    this.update([]);
    this.desk.dismiss("no_endpoint");
  }

  #policy({ name, policy }: PoolConfig, memory: PolicyMemory | undefined): Policy {
    const { random, prompts } = this.#kit;
    const { slotsMax } = this.#ledger;
    const kit = { random: random.split(2), slotsMax, prompts, pool: hashText(name) };
    return createPolicy(policy.name, memory === undefined ? kit : { ...kit, memory }, policy.options);
  }
}

/** What policies are made of, beside their memory. */
interface DeskKit {
  readonly random: Random;
  readonly prompts: PromptBook;
}

type SharedParts = Omit<ConstructorParameters<typeof Desk>[0], "name" | "roster" | "policy" | "options">;

/** An endpoint as data threads know it; how it is, is judged in the main thread alone. */
function toEndpoint({ spec, slot, generation }: ThreadPlan["pools"][number]["endpoints"][number]): Endpoint {
  return new Endpoint(spec, slot, generation, new EndpointHealth(new Outlier(OUTLIER_OFF, NO_DICE)));
}

/** When this thread's `performance.now` was 0, on the clock of the whole system. */
function beganAtMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}

function say(message: ThreadMessage): void {
  parentPort!.postMessage(message);
}

function tellGuest(message: GuestMessage): void {
  say({ kind: "guest", message });
}

/** Lines are whole only where one thread writes them: the main one does. */
function writeStdout(bytes: Uint8Array, done: (isWritten: boolean) => void): void {
  waiting.push(done);
  say({ kind: "log", bytes: bytes.slice() });
}

function answer(number: number, work: Promise<unknown>): Promise<void> {
  return work.then(
    (value) => say({ kind: "done", number, value: number === READY ? null : value }),
    (error: Error) => {
      const code = error instanceof EvenerError ? error.code : "";
      say({ kind: "failed", number, code, message: error.message });
    },
  );
}

const waiting: ((isWritten: boolean) => void)[] = [];
const NO_DICE = new Random(1);
const TEND_MS = 100;
const TELL_MS = 500;

// Async for its failure to be a rejection.
async function start(): Promise<DataThread> {
  return new DataThread(workerData as ThreadSetup);
}

/**
 * One request after the other: two that open listeners at once would open one twice. But a drain takes its
 * time, in which more is asked.
 */
async function begin(): Promise<void> {
  const starting = start();
  let last = answer(READY, starting);
  const thread = await starting;
  parentPort!.on("message", (message: ThreadNote) => {
    if ("logged" in message) return waiting.shift()?.(message.logged);
    if ("host" in message) return thread.hearHost(message.host);
    if (!("number" in message)) return thread.hear(message);
    const answered = last.then(() => answer(message.number, thread.do(message.request)));
    if (message.request.do !== "drain") last = answered;
  });
}

await begin();
