import { availableParallelism } from "node:os";
import type { ThreadsConfig } from "../config/config.ts";

/** How many data threads there are to be; `warn` is told where it is not what was wanted. */
export function countThreads(wanted: ThreadsConfig, warn: (facts: object, text: string) => void): number {
  const cores = availableParallelism();
  const count = wanted === "auto" ? Math.min(Math.max(1, cores - 1), AUTO_THREADS_MAX) : wanted;
  if (count <= 1 || SHARES_PORTS) return count;
  warn(
    { wanted: count, platform: process.platform },
    "this system does not spread connections over sockets that share a port: one data thread takes all",
  );
  return 1;
}

const AUTO_THREADS_MAX = 8;

/** The system spreads connections over sockets that share a port (SO_REUSEPORT, Node's `reusePort`). */
export const SHARES_PORTS: boolean = ["linux", "freebsd", "sunos", "aix"].includes(process.platform);
