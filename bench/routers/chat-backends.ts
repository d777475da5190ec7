import { mkdirSync } from "node:fs";
import path from "node:path";

import { waitUntilReady } from "../measure/probe.ts";
import type { BackendPlace } from "../peers/backends.ts";
import { CHAT_ANSWER } from "../peers/payload.ts";
import { nginxLaunch, nginxVersion } from "../peers/proxies/nginx.ts";
import { MODEL_NAME } from "./engines/completion.ts";

/** Backends that cost as little as can be: nginx, with fixed answers to all that routers ask workers. */
export async function startChatBackends(place: BackendPlace): Promise<string> {
  const directory = path.join(place.directory, "backends");
  mkdirSync(directory);
  const servers = place.ports.map(
    (port) => `  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type application/json;
    location / { return 200 '${ABOUT}'; }
    location = /v1/models { return 200 '${MODELS}'; }
    location = /v1/chat/completions { return 200 '${CHAT_ANSWER}'; }
  }`,
  );
  const http = ["  access_log off;", ...servers].join("\n");
  const started = await place.processes.start(
    nginxLaunch("backends", { directory, cores: place.cores, threads: 1 }, http),
  );
  for (const port of place.ports) await waitUntilReady(started, `http://127.0.0.1:${port}/`, place.signal);
  return nginxVersion();
}

const ABOUT = JSON.stringify({
  model_path: MODEL_NAME,
  served_model_name: MODEL_NAME,
  model_id: MODEL_NAME,
  internal_states: [{}],
});
const MODELS = JSON.stringify({ object: "list", data: [{ id: MODEL_NAME, object: "model" }] });
