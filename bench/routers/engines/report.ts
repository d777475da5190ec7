import { fileURLToPath } from "node:url";

import { ask, waitUntilReady } from "../../measure/probe.ts";
import type { BackendPlace } from "../../peers/backends.ts";

/** What an embedded engine says of itself at {@link REPORT_PATH}: for the bench, never for a router. */
export interface EngineReport {
  /** Seconds in which it had something to do. */
  readonly busyS: number;
  readonly finished: number;
  /** Requests whose router went away before the end: tried elsewhere, or given up. */
  readonly abandoned: number;
  /** Of what it has answered. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Seconds since its process, which is that of all engines, started; and of CPU time in them. */
  readonly aliveS: number;
  readonly cpuS: number;
}

/** Where it is asked. */
export const REPORT_PATH = "/bench/report";

/** Starts the process of all engines, one a port. */
export async function startEngines(place: BackendPlace): Promise<string> {
  const started = await place.processes.start({
    name: "engines",
    cores: place.cores,
    program: process.execPath,
    args: [fileURLToPath(new URL("main.ts", import.meta.url)), ...place.ports.map(String)],
  });
  for (const port of place.ports)
    await waitUntilReady(started, `http://127.0.0.1:${port}/health`, place.signal);
  return "embedded engine";
}

/** What each says now. */
export async function askEngines(ports: readonly number[], signal: AbortSignal): Promise<EngineReport[]> {
  const answers = ports.map((port) => ask(`http://127.0.0.1:${port}${REPORT_PATH}`, signal));
  return (await Promise.all(answers)).map(({ body }) => JSON.parse(body) as EngineReport);
}
