import { Worker } from "node:worker_threads";
import { ERRORS, type ErrorCode, EvenerError } from "../errors.ts";
import { ReportReader } from "../core/sharing/report-ring.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import type { NumberedRequest, ThreadMessage, ThreadPlan, ThreadRequest, ThreadSetup } from "./messages.ts";
import type { PlaneCounts } from "./plane.ts";
import type { SessionNews } from "./session-tables.ts";

/** One data thread, as the main thread has it: asked, told, and mourned. */
export class ThreadHandle {
  readonly number: number;
  readonly reports: ReportReader = new ReportReader();
  readonly stats: Map<string, PoolStats> = new Map();
  counts: PlaneCounts | null = null;
  readonly #worker: Worker;
  readonly #owner: ThreadOwner;
  readonly #asked: Map<number, PromiseWithResolvers<unknown>> = new Map();
  readonly #bornAtMs: number = performance.now();
  #questions = 0;
  #lastError: Error | null = null;
  #isClosing = false;

  constructor(kit: ThreadKit, plan: ThreadPlan, owner: ThreadOwner) {
    this.number = kit.number;
    this.#owner = owner;
    const setup: ThreadSetup = {
      thread: kit.number,
      threads: kit.threads,
      ledger: kit.ledger,
      bells: kit.bells,
      reports: this.reports.memory,
      clockBeganAtMs: Number(process.hrtime.bigint()) / 1e6 - performance.now(),
      pseudonym: kit.pseudonym,
      tickets: kit.tickets,
      plan,
      sessions: kit.sessions,
    };
    this.#worker = new Worker(PROGRAM, { workerData: setup, name: `evener data ${kit.number}` });
    this.#worker.on("message", (message: ThreadMessage) => this.#hear(message));
    this.#worker.on("error", (error: Error) => (this.#lastError = error));
    this.#worker.on("exit", (code) => this.#exited(code));
  }

  get livedMs(): number {
    return performance.now() - this.#bornAtMs;
  }

  /** Rejects with what the thread refused, or with ThreadDeath when it dies before it answers. */
  ask(request: ThreadRequest): Promise<unknown> {
    const number = ++this.#questions;
    const answer = Promise.withResolvers<unknown>();
    this.#asked.set(number, answer);
    const message: NumberedRequest = { number, request };
    this.#worker.postMessage(message);
    return answer.promise;
  }

  /** What other threads have learned. */
  tell(news: readonly SessionNews[]): void {
    this.#worker.postMessage(news);
  }

  /** Ends it in peace. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.ask({ do: "close" }).catch(() => {});
    await this.#worker.terminate();
  }

  /** Ends it as a bug would, for tests. */
  kill(): Promise<number> {
    return this.#worker.terminate();
  }

  #hear(message: ThreadMessage): void {
    switch (message.kind) {
      case "done":
        this.#asked.get(message.number)?.resolve(message.value);
        this.#asked.delete(message.number);
        return;
      case "failed":
        this.#asked.get(message.number)?.reject(errorOf(message.code, message.message));
        this.#asked.delete(message.number);
        return;
      case "figures":
        this.counts = message.figures.counts;
        for (const [pool, data] of message.figures.pools) this.#statsOf(pool).load(data);
        return;
      case "sessions":
        return this.#owner.learned(this, message.news);
      case "refused":
        return this.#owner.refused(message.address, message.reason);
      case "log":
        this.#owner.wrote(message.bytes, () => {
          if (!this.#isClosing || this.#asked.size > 0) this.#worker.postMessage("logged");
        });
    }
  }

  #statsOf(pool: string): PoolStats {
    let stats = this.stats.get(pool);
    if (stats === undefined) {
      stats = new PoolStats();
      this.stats.set(pool, stats);
    }
    return stats;
  }

  #exited(code: number): void {
    const death = new Error(this.#lastError?.message ?? `exit code ${code}`);
    death.name = "ThreadDeath";
    for (const { reject } of this.#asked.values()) reject(death);
    this.#asked.clear();
    this.#owner.died(this, this.#lastError?.stack ?? death.message);
  }
}

/** Who is told. */
export interface ThreadOwner {
  died(thread: ThreadHandle, reason: string): void;
  /** Of sessions: the other threads are to know it. */
  learned(thread: ThreadHandle, news: readonly SessionNews[]): void;
  /** A connection was closed for its PROXY header. */
  refused(address: string, reason: string): void;
  /** Bytes for the standard output. */
  wrote(bytes: Uint8Array, done: () => void): void;
}

/** What all threads share. */
export interface ThreadKit extends Pick<
  ThreadSetup,
  "threads" | "ledger" | "bells" | "pseudonym" | "tickets" | "sessions"
> {
  readonly number: number;
}

const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "./data-thread.ts" : "./data-thread.js",
  import.meta.url,
);

function errorOf(code: string, message: string): Error {
  return Object.hasOwn(ERRORS, code) ? new EvenerError(code as ErrorCode, message) : new Error(message);
}
