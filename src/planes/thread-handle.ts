import { Worker } from "node:worker_threads";
import type { GuestMessage, HostMessage } from "../core/handover/messages.ts";
import { ERRORS, type ErrorCode, EvenerError } from "../errors.ts";
import { ReportReader } from "../core/sharing/report-ring.ts";
import { Figures } from "./figures.ts";
import {
  type HostNote,
  type Logged,
  type NumberedRequest,
  READY,
  type ThreadMessage,
  type ThreadPlan,
  type ThreadRequest,
  type ThreadSetup,
} from "./messages.ts";
import type { SessionNews } from "./session-tables.ts";

/** One data thread, as the main thread has it: asked, told, and mourned. */
export class ThreadHandle {
  readonly number: number;
  readonly reports: ReportReader = new ReportReader();
  readonly figures: Figures = new Figures();
  /** Resolves when it has begun to work; rejects with what it could not do, or with ThreadDeath. */
  readonly ready: Promise<unknown>;
  /** {@link ThreadHandle.watch} calls since its last sign of life. */
  #silence = 0;
  readonly #worker: Worker;
  readonly #owner: ThreadOwner;
  readonly #asked: Map<number, Question> = new Map();
  readonly #bornAtMs: number = performance.now();
  #questions = READY;
  #cause: Error | null = null;
  #death: Error | null = null;

  constructor(kit: ThreadKit, plan: ThreadPlan, owner: ThreadOwner) {
    this.number = kit.number;
    this.#owner = owner;
    const setup: ThreadSetup = {
      thread: kit.number,
      threads: kit.threads,
      sharesPorts: kit.sharesPorts,
      ledger: kit.ledger,
      prompts: kit.prompts,
      bells: kit.bells,
      reports: this.reports.memory,
      clockBeganAtMs: Number(process.hrtime.bigint()) / 1e6 - performance.now(),
      pseudonym: kit.pseudonym,
      tickets: kit.tickets,
      plan,
      sessions: kit.sessions,
    };
    // Its standard output is not ours: Node would make ours non-blocking, and a full pipe would cost lines.
    const name = `evener data ${kit.number}`;
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB };
    this.#worker = new Worker(PROGRAM, { workerData: setup, name, stdout: true, resourceLimits });
    this.#worker.stdout.resume();
    this.#worker.on("message", (message: ThreadMessage) => this.#hear(message));
    this.#worker.on("error", (error: Error) => (this.#cause ??= error));
    this.#worker.on("exit", (code) => this.#exited(code));
    this.ready = this.#expect(READY, "start", ANSWER_MS_MAX);
    // Whoever does not wait for it learns of its end by other ways.
    this.ready.catch(() => {});
  }

  get livedMs(): number {
    return performance.now() - this.#bornAtMs;
  }

  /**
   * Rejects with what the thread refused, or with ThreadDeath when it dies before it answers. One that does
   * not answer within `answerMsMax` hangs: it is ended.
   */
  ask(request: ThreadRequest, answerMsMax: number = ANSWER_MS_MAX): Promise<unknown> {
    if (this.#death !== null) return Promise.reject(this.#death);
    const number = ++this.#questions;
    const message: NumberedRequest = { number, request };
    this.#worker.postMessage(message);
    return this.#expect(number, request.do, answerMsMax);
  }

  /** What other threads have learned. */
  tell(news: readonly SessionNews[]): void {
    this.#worker.postMessage(news);
  }

  /** What the process that has taken over answers. */
  tellHost(host: HostMessage): void {
    const note: HostNote = { host };
    this.#worker.postMessage(note);
  }

  /** Ends it in peace. */
  async close(): Promise<void> {
    await this.ask({ do: "close" }, CLOSE_MS_MAX).catch(() => {});
    await this.#worker.terminate();
  }

  /** Ends it as a bug of ours would. */
  kill(reason: string): void {
    this.#cause ??= new Error(reason);
    void this.#worker.terminate();
  }

  /** To be called often; after `most` calls without a sign of life it hangs, and is ended. */
  watch(most: number): void {
    if (++this.#silence === most) this.kill("it hung: no sign of life");
  }

  #expect(number: number, what: string, answerMsMax: number): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const late = (): void => this.kill(`it hung: no answer to "${what}" within ${answerMsMax} ms`);
    this.#asked.set(number, { answer, timer: setTimeout(late, answerMsMax) });
    return answer.promise;
  }

  #hear(message: ThreadMessage): void {
    switch (message.kind) {
      case "done":
        return this.#answered(message.number)?.resolve(message.value);
      case "failed":
        return this.#answered(message.number)?.reject(errorOf(message.code, message.message));
      case "figures":
        this.#silence = 0;
        this.figures.counts = message.figures.counts;
        for (const [pool, data] of message.figures.pools) this.figures.of(pool).load(data);
        return;
      case "sessions":
        return this.#owner.learned(this, message.news);
      case "urgent":
        return this.#owner.hasNews();
      case "guest":
        return this.#owner.said(message.message);
      case "refused":
        return this.#owner.refused(message.address, message.reason);
      case "log":
        this.#owner.wrote(message.bytes, (isWritten) => {
          const logged: Logged = { logged: isWritten };
          this.#worker.postMessage(logged);
        });
    }
  }

  #answered(number: number): Question["answer"] | undefined {
    const question = this.#asked.get(number);
    clearTimeout(question?.timer);
    this.#asked.delete(number);
    return question?.answer;
  }

  #exited(code: number): void {
    const death = new Error(this.#cause?.message ?? `exit code ${code}`);
    death.name = "ThreadDeath";
    this.#death = death;
    for (const number of this.#asked.keys()) this.#answered(number)?.reject(death);
    this.#owner.died(this, this.#cause?.stack ?? death.message);
  }
}

/** Who is told. */
export interface ThreadOwner {
  died(thread: ThreadHandle, reason: string): void;
  /** Of sessions: the other threads are to know it. */
  learned(thread: ThreadHandle, news: readonly SessionNews[]): void;
  /** Its reports should be read now. */
  hasNews(): void;
  /** To the process that has taken over. */
  said(message: GuestMessage): void;
  /** A connection was closed for its PROXY header. */
  refused(address: string, reason: string): void;
  /** Bytes for the standard output. */
  wrote(bytes: Uint8Array, done: (isWritten: boolean) => void): void;
}

/** What all threads share. */
export interface ThreadKit extends Pick<
  ThreadSetup,
  "threads" | "sharesPorts" | "ledger" | "prompts" | "bells" | "pseudonym" | "tickets" | "sessions"
> {
  readonly number: number;
}

interface Question {
  readonly answer: PromiseWithResolvers<unknown>;
  readonly timer: NodeJS.Timeout;
}

/** Also to begin: far beyond what it takes on a machine that is busy. */
const ANSWER_MS_MAX = 30_000;
const CLOSE_MS_MAX = 5_000;
/** What a request makes lives for microseconds: more room than that is only more memory. Default: 48. */
const YOUNG_MB = 6;
const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "./data-thread.ts" : "./data-thread.js",
  import.meta.url,
);

/** The thread died before it could answer; that is told by its owner's `died`. */
export function isDeath(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "ThreadDeath";
}

function errorOf(code: string, message: string): Error {
  return Object.hasOwn(ERRORS, code) ? new EvenerError(code as ErrorCode, message) : new Error(message);
}
