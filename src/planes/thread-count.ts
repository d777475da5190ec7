import { availableParallelism } from "node:os";
import type { ThreadsConfig } from "../config/config.ts";
import { memoryLimitBytes } from "../proxy/memory-watch.ts";

/** How many data threads there are to be; `warn` is told where it is not what was wanted. */
export function countThreads(wanted: ThreadsConfig, warn: (facts: object, text: string) => void): number {
  const count = wanted === "auto" ? threadsThatFit(availableParallelism(), memoryLimitBytes()) : wanted;
  if (count <= 1 || SHARES_PORTS) return count;
  warn(
    { wanted: count, platform: process.platform },
    "this system does not spread connections over sockets that share a port: one data thread takes all",
  );
  return 1;
}

/** One core is left to the main thread, and a container with little memory has not room for many threads. */
export function threadsThatFit(cores: number, memoryBytes: number): number {
  const most = Math.min(cores - 1, Math.floor(memoryBytes / AUTO_THREAD_BYTES), AUTO_THREADS_MAX);
  return Math.max(1, most);
}

const AUTO_THREADS_MAX = 8;
/** At rest a thread takes 35 MB; the rest is for its connections. */
const AUTO_THREAD_BYTES = 256 * 1024 * 1024;

/** The system spreads connections over sockets that share a port (SO_REUSEPORT, Node's `reusePort`). */
export const SHARES_PORTS: boolean = ["linux", "freebsd", "sunos", "aix"].includes(process.platform);
