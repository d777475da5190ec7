import { Worker } from "node:worker_threads";
import type { TaskRecord } from "../core/tasks/task.ts";
import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { type ErrorCode, EvenerError } from "../errors.ts";
import { GroupCommit } from "./group-commit.ts";
import type {
  Answered,
  Asked,
  Opened,
  PackedCommit,
  PackedOutcome,
  Question,
  Row,
} from "./sqlite-messages.ts";
import { outcomeOf, packed } from "./sqlite-pack.ts";
import { recordOf, storedEventOf } from "./rows.ts";
import type { Retention, StoredEvent, TaskQuery, TaskStore } from "./store.ts";

/**
 * Tasks in a file. SQLite waits for the disk, so it has a thread of its own; commits that come while it is
 * busy go together into the next transaction (group commit without a timer).
 */
export class SqliteStore implements TaskStore {
  readonly name: string;
  readonly #thread: Worker;
  readonly #open: Map<number, Open> = new Map();
  readonly #commits: GroupCommit<PackedCommit>;
  #number = 0;
  #isClosing = false;
  #death: Error | null = null;

  private constructor(path: string, thread: Worker) {
    this.name = `sqlite:${path}`;
    this.#thread = thread;
    this.#commits = new GroupCommit(packed, (commits) => this.#write(commits));
    thread.on("message", (message: Answered) => this.#hear(message));
    thread.on("error", (error) => this.#died(error));
    thread.on("exit", () => this.#died(new Error("its thread has ended")));
  }

  /** Opens the file, or makes it. Throws EVENER_STORE_FAILED. */
  static async open(path: string): Promise<SqliteStore> {
    const thread = new Worker(PROGRAM, { workerData: path, name: "evener store" });
    const opened = await new Promise<Opened>((resolve) => {
      thread.once("message", resolve);
      thread.once("error", (error) => resolve({ opened: false, message: error.message }));
    });
    if (opened.opened) return new SqliteStore(path, thread);
    await thread.terminate();
    throw new EvenerError("EVENER_STORE_FAILED", `tasks.store sqlite:${path}: ${opened.message}`);
  }

  async commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    if (this.#isClosing) throw this.#failure("it is closed");
    return this.#commits.commit(writes);
  }

  async unfinished(afterId: string | null, recordsMax: number): Promise<readonly TaskRecord[]> {
    const rows = (await this.#ask({ ask: "unfinished", afterId: afterId ?? "", recordsMax })) as Row[];
    return rows.map(recordOf);
  }

  async task(id: string): Promise<TaskRecord | null> {
    const row = (await this.#ask({ ask: "task", id })) as Row | null;
    return row === null ? null : recordOf(row);
  }

  async find(query: TaskQuery): Promise<readonly TaskRecord[]> {
    return ((await this.#ask({ ask: "find", query })) as Row[]).map(recordOf);
  }

  async payloads(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map((await this.#ask({ ask: "payloads", ids })) as [string, Uint8Array][]);
  }

  async result(id: string): Promise<Uint8Array | null> {
    return (await this.#ask({ ask: "result", id })) as Uint8Array | null;
  }

  async events(cursor: number, eventsMax: number, taskId?: string): Promise<readonly StoredEvent[]> {
    const rows = await this.#ask({ ask: "events", cursor, eventsMax, taskId: taskId ?? null });
    return (rows as Row[]).map(storedEventOf);
  }

  async lastCursor(): Promise<number> {
    return (await this.#ask({ ask: "lastCursor" })) as number;
  }

  async memory(name: string): Promise<Uint8Array | null> {
    return (await this.#ask({ ask: "memory", name })) as Uint8Array | null;
  }

  async prune(bounds: Retention): Promise<number> {
    return (await this.#ask({ ask: "prune", bounds })) as number;
  }

  /** What was committed before is durable; what comes later is refused. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await this.#commits.atRest();
    if (this.#death !== null) return;
    await this.#ask({ ask: "close" });
    this.#death = new Error("it is closed");
    await this.#thread.terminate();
  }

  async #write(commits: readonly PackedCommit[]): Promise<readonly WriteOutcome[]> {
    const bytes = commits.map((commit) => commit.bytes.buffer);
    return ((await this.#ask({ ask: "commit", commits }, bytes)) as PackedOutcome[]).map(outcomeOf);
  }

  #ask(question: Question, moved: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#death !== null) return Promise.reject(this.#failure(this.#death.message));
    const asked = Promise.withResolvers<unknown>();
    const number = this.#number++;
    this.#open.set(number, { ...asked, isCommit: question.ask === "commit" });
    this.#thread.postMessage({ number, question } satisfies Asked, moved);
    return asked.promise;
  }

  #hear(message: Answered): void {
    const asked = this.#open.get(message.number)!;
    this.#open.delete(message.number);
    if ("value" in message) asked.resolve(message.value);
    else if (message.errcode === FULL)
      asked.reject(new EvenerError("EVENER_STORE_FULL", `${this.name}: no room is left`));
    else asked.reject(this.#failure(message.message));
  }

  #died(error: Error): void {
    this.#death ??= error;
    // A commit may have been done, and only not been told.
    for (const { reject, isCommit } of this.#open.values())
      reject(this.#failure(error.message, isCommit ? "EVENER_STORE_UNKNOWN" : "EVENER_STORE_FAILED"));
    this.#open.clear();
  }

  #failure(message: string, code: ErrorCode = "EVENER_STORE_FAILED"): EvenerError {
    return new EvenerError(code, `${this.name}: ${message}`);
  }
}

/** A question that has no answer yet. */
interface Open extends PromiseWithResolvers<unknown> {
  readonly isCommit: boolean;
}

/** In a clone this is TypeScript, in the package JavaScript. */
const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "sqlite-program.ts" : "sqlite-program.js",
  import.meta.url,
);
/** SQLITE_FULL. */
const FULL = 13;
