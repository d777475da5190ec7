import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { findProgram } from "../measure/machine.ts";
import { waitUntilReady } from "../measure/probe.ts";
import type { Processes, Started } from "../measure/processes.ts";
import { nginxLaunch } from "./nginx.ts";
import { CHAT_ANSWER, SMALL_BODY } from "./payload.ts";

/** Where the backends of a bench run. */
export interface BackendPlace {
  ports: readonly number[];
  directory: string;
  core: number;
  processes: Processes;
  signal: AbortSignal;
}

/** Starts the fastest backends that this machine has: nginx, or `node:http` without it. Returns which. */
export async function startAnsweringBackends(place: BackendPlace): Promise<string> {
  const program = findProgram("nginx");
  if (program === undefined) return startStreamingBackends(place);
  const directory = path.join(place.directory, "backends");
  mkdirSync(directory);
  const servers = place.ports.map(
    (port) => `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type text/plain; return 200 '${SMALL_BODY}'; }
    location /v1/ { default_type application/json; return 200 '${CHAT_ANSWER}'; }
  }`,
  );
  const http = ["  access_log off;", ...servers].join("\n");
  await waitForAll(
    place,
    await place.processes.start(nginxLaunch("backends", { ...place, directory }, http)),
  );
  const { stderr } = await promisify(execFile)(program, ["-v"], { timeout: 5000 });
  return stderr.trim().replace(/^.*nginx\//, "nginx ");
}

/** Starts backends that can stream events. Returns what they are. */
export async function startStreamingBackends(place: BackendPlace): Promise<string> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const started = await place.processes.start({
    name: "backends",
    core: place.core,
    program: process.execPath,
    args: [script, ...place.ports.map(String)],
  });
  await waitForAll(place, started);
  return "node:http";
}

async function waitForAll(place: BackendPlace, started: Started): Promise<void> {
  for (const port of place.ports) await waitUntilReady(started, `http://127.0.0.1:${port}/`, place.signal);
}
