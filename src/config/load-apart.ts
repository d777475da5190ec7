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
    const worker = (this.#worker ??= startWorker());
    worker.ref();
    let answer: LoadAnswer;
    try {
      answer = await answerOf(worker, file);
    } catch (error) {
      // It is dead, or as good as that: the next file gets another.
      this.#end();
      if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
      // A file with tens of thousands of lines is read here, at the price of memory that stays.
      const { loadConfig } = await import("./load.ts");
      return loadConfig(file);
    } finally {
      worker.unref();
    }
    this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    if ("config" in answer) return answer.config;
    throw new ConfigError(answer.code, answer.message, answer.problems);
  }

  #end(): void {
    void this.#worker?.terminate();
    this.#worker = null;
  }
}

function startWorker(): Worker {
  const worker = new Worker(PROGRAM, { name: "evener configuration", resourceLimits: LIMITS });
  // Whoever waits is told; with nobody waiting there is nothing to say.
  worker.on("error", () => {});
  return worker;
}

/** Rejects with the thread's death, or EVENER_CONFIG_UNREADABLE when it takes too long. */
async function answerOf(worker: Worker, file: string): Promise<LoadAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<LoadAnswer>();
  const exited = (): void => reject(new Error("the thread that reads configurations has ended"));
  const timer = setTimeout(() => {
    const why = `not read within ${LOAD_MS_MAX / 1000} s; is its disk there, and that of the files it names?`;
    const message = `${file}: ${why}`;
    reject(new ConfigError("EVENER_CONFIG_UNREADABLE", message, []));
  }, LOAD_MS_MAX);
  worker.once("message", resolve).once("error", reject).once("exit", exited);
  worker.postMessage(file);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    worker.off("message", resolve).off("error", reject).off("exit", exited);
  }
}

/** What the thread says of a file. */
export type LoadAnswer =
  | { readonly config: Config }
  | { readonly code: ErrorCode; readonly message: string; readonly problems: readonly Problem[] };

const PROGRAM = new URL(import.meta.url.replace(/load-apart(?=\.[jt]s$)/, "load-program"));
/** Enough for some thousand backends. Memory that it has had once stays with the process. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 8 };
/** A disk that hangs must not hold up what runs, nor its end. */
const LOAD_MS_MAX = 30_000;
/** Reloads often come in groups. */
const IDLE_MS = 5_000;
