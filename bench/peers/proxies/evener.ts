import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { waitUntilReady } from "../../measure/probe.ts";
import { builtProgram } from "./evener-package.ts";
import { NotThereYet, type Peer, type Place, type Running, urlOf } from "./peer.ts";

const EVENER: Omit<Peer, "name" | "start"> = {
  isOptional: false,
  threadsMin: 0,
  accessLog: "one JSON line a request, file",

  version() {
    // eslint-disable-next-line typescript/no-unsafe-type-assertion -- our own package.json
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
      version: string;
    };
    return Promise.resolve(`Evener ${version} on Node ${process.version}`);
  },
};

/** Evener as it is installed and started: health probes, access log and metrics on, nothing tuned. */
export const evener: Peer = evenerWith("evener", undefined);

/** The same with a policy that is not the default, which `undefined` is. */
export function evenerWith(name: string, policy: string | undefined): Peer {
  return { ...EVENER, name, start: (place) => start(place, policy) };
}

async function start(place: Place, policy: string | undefined): Promise<Running> {
  const file = path.join(place.directory, "evener.yaml");
  writeFileSync(file, configuration(place, policy));
  if (place.certificate !== undefined) await checkTls(file, place);
  const started = await place.processes.start({
    name: "evener",
    cores: place.cores,
    program: process.execPath,
    args: [builtProgram(), "serve", file],
  });
  await waitUntilReady(started, `http://127.0.0.1:${place.adminPort}/readyz`, place.signal);
  return { ...started, url: urlOf(place) };
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CHECK_MS_MAX = 10_000;

/** Until listeners have `tls`, the configuration is refused, which is worth a word and no failure. */
async function checkTls(file: string, { cores, processes, signal }: Place): Promise<void> {
  const args = [builtProgram(), "check", file];
  try {
    await processes.run({ name: "check", cores, program: process.execPath, args }, CHECK_MS_MAX);
  } catch (cause) {
    signal.throwIfAborted();
    const text = cause instanceof Error ? cause.message : String(cause);
    if (!text.includes("tls: no such key")) throw cause;
    throw new NotThereYet("Evener has no TLS to clients yet", { cause });
  }
}

function configuration(place: Place, policy: string | undefined): string {
  const backends = place.backendPorts.map((port) => `"http://127.0.0.1:${port}"`).join(", ");
  const { certificate } = place;
  const files = certificate && { cert: certificate.certFile, key: certificate.keyFile };
  const list = `backends: [${backends}]`;
  const pool = policy === undefined ? list : `pools: { default: { policy: ${policy}, ${list} } }`;
  // JSON is YAML.
  const tls = files === undefined ? "" : `, tls: ${JSON.stringify(files)}`;
  return `listeners: [{ bind: "127.0.0.1:${place.port}"${tls} }]
${pool}
threads: ${place.threads}
access_log: { file: ${JSON.stringify(place.logFile)} }
admin: { bind: "127.0.0.1:${place.adminPort}" }
`;
}
