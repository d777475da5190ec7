import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { findProgram } from "../measure/machine.ts";
import { waitUntilReady } from "../measure/probe.ts";
import type { Processes, Started } from "../measure/processes.ts";
import { CHAT_ANSWER, LARGE_BODY, LARGE_PATH, SMALL_BODY } from "./payload.ts";
import { NGINX, nginxLaunch, nginxVersion } from "./proxies/nginx.ts";

/** Where the backends of a bench run. */
export interface BackendPlace {
  ports: readonly number[];
  directory: string;
  cores: string;
  processes: Processes;
  signal: AbortSignal;
}

/** Starts the fastest backends that this machine has: nginx, or `node:http` without it. Returns which. */
export async function startAnsweringBackends(place: BackendPlace): Promise<string> {
  if (findProgram(NGINX) === undefined) return startStreamingBackends(place);
  const directory = path.join(place.directory, "backends");
  mkdirSync(directory);
  // A word of nginx's configuration ends at 4 KB: the large answer is a file.
  writeFileSync(path.join(directory, LARGE_PATH), LARGE_BODY);
  const servers = place.ports.map(
    (port) => `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type text/plain; return 200 '${SMALL_BODY}'; }
    location ${LARGE_PATH} { default_type text/plain; root ${directory}; }
    location /v1/ { default_type application/json; return 200 '${CHAT_ANSWER}'; }
  }`,
  );
  const http = ["  access_log off;", "  sendfile on;", "  open_file_cache max=10;", ...servers].join("\n");
  await waitForAll(
    place,
    await place.processes.start(nginxLaunch("backends", { ...place, directory, threads: 1 }, http)),
  );
  return nginxVersion();
}

/** Starts backends that can stream events. Returns what they are. */
export async function startStreamingBackends(place: BackendPlace): Promise<string> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const started = await place.processes.start({
    name: "backends",
    cores: place.cores,
    program: process.execPath,
    args: [script, ...place.ports.map(String)],
  });
  await waitForAll(place, started);
  return "node:http";
}

async function waitForAll(place: BackendPlace, started: Started): Promise<void> {
  for (const port of place.ports) await waitUntilReady(started, `http://127.0.0.1:${port}/`, place.signal);
}
