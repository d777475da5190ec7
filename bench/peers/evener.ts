import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { waitUntilReady } from "../measure/probe.ts";
import type { Peer, Place, Running } from "./peer.ts";

/** Evener as a user starts it: routing, health probes, access log and metrics on, nothing tuned. */
export const evener: Peer = {
  name: "evener",
  programs: [],
  accessLog: "one JSON line a request, file",

  version() {
    // eslint-disable-next-line typescript/no-unsafe-type-assertion -- our own package.json
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
      version: string;
    };
    return Promise.resolve(`Evener ${version} on Node ${process.version}`);
  },

  async start(place: Place): Promise<Running> {
    const file = path.join(place.directory, "evener.yaml");
    writeFileSync(file, configuration(place));
    const started = await place.processes.start({
      name: "evener",
      core: place.core,
      program: process.execPath,
      args: [path.join(ROOT, "bin", "evener.js"), "serve", file],
    });
    await waitUntilReady(started, `http://127.0.0.1:${place.adminPort}/readyz`, place.signal);
    return { ...started, url: `http://127.0.0.1:${place.port}` };
  },
};

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function configuration(place: Place): string {
  const backends = place.backendPorts.map((port) => `"http://127.0.0.1:${port}"`).join(", ");
  return `listen: "127.0.0.1:${place.port}"
backends: [${backends}]
access_log: { file: ${JSON.stringify(place.logFile)} }
admin: { bind: "127.0.0.1:${place.adminPort}" }
`;
}
