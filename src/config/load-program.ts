// The program of the thread of `load-apart.ts`: reads each file that it is asked for.
import { parentPort } from "node:worker_threads";
import type { LoadAnswer } from "./load-apart.ts";
import { loadConfig } from "./load.ts";
import { ConfigError } from "./problem.ts";

parentPort!.on("message", (file: string) => parentPort!.postMessage(answer(file)));

function answer(file: string): LoadAnswer {
  try {
    return { config: loadConfig(file) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, problems } = error;
    return { code, message, problems };
  }
}
