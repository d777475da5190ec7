import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ErrorCode } from "../errors.ts";
import type { Config } from "./config.ts";
import { ConfigError, type Problem } from "./problem.ts";

/**
 * Reads configurations in a thread of its own, which ends some seconds after the last one: what reading takes
 * (the schema alone is 20 MB) is not held by a process that runs for months.
 */
export class ApartLoader {
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  /** One file after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** As `loadConfig`: rejects with {@link ConfigError}. */
  load(file: string): Promise<Config> {
    const loading = this.#last.then(() => this.#load(file));
    this.#last = loading.catch(() => {});
    return loading;
  }

  async #load(file: string): Promise<Config> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#worker ??= new Worker(PROGRAM, { name: "evener configuration", resourceLimits: LIMITS });
    const worker = this.#worker;
    worker.ref();
    const answered = once(worker, "message") as Promise<[LoadAnswer]>;
    worker.postMessage(file);
    let answer: LoadAnswer;
    try {
      [answer] = await answered;
    } catch (error) {
      // It has died: the next file gets another.
      this.#worker = null;
      if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
      // A file with tens of thousands of lines is read here, at the price of memory that stays.
      const { loadConfig } = await import("./load.ts");
      return loadConfig(file);
    }
    worker.unref();
    this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    if ("config" in answer) return answer.config;
    throw new ConfigError(answer.code, answer.message, answer.problems);
  }

  #end(): void {
    void this.#worker?.terminate();
    this.#worker = null;
  }
}

/** What the thread says of a file. */
export type LoadAnswer =
  | { readonly config: Config }
  | { readonly code: ErrorCode; readonly message: string; readonly problems: readonly Problem[] };

const PROGRAM = new URL(import.meta.url.replace(/load-apart(?=\.[jt]s$)/, "load-program"));
/** Enough for some thousand backends. Memory that it has had once stays with the process. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 8 };
/** Reloads often come in groups. */
const IDLE_MS = 5_000;
