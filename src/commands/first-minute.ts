import net from "node:net";
import { pino } from "pino";
import type { Config } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { startDemoFleet } from "../demo/fleet.ts";
import { type FoundServer, largestGroup, scanLocalhost } from "../discovery/localhost-scan.ts";
import { Server } from "../server.ts";
import { compareUnderLoad } from "./load-comparison.ts";
import { untilStopped } from "./until-stopped.ts";

/** What somebody sees who starts Evener for the first time: his model servers balanced, or the demo. */
export async function findOrDemonstrate(options: { load: boolean; mayScan: boolean }): Promise<void> {
  const { servers: found, others } = options.mayScan ? await scanLocalhost() : { servers: [], others: [] };
  for (const port of others) say(`127.0.0.1:${port} answers, but it is not a model server: left alone.`);
  if (found.length > 0) return balanceFound(found);
  if (options.mayScan) say("No model server answers on this machine's usual ports: starting the demo.");
  await demonstrate(options.load);
}

async function balanceFound(found: readonly FoundServer[]): Promise<void> {
  const group = largestGroup(found);
  say("Found on this machine:");
  for (const server of found) {
    const note = group.includes(server) ? "" : "  (serves something else: not in this pool)";
    say(`  ${server.engine} on ${server.host}:${server.port}  ${server.models.join(", ")}${note}`);
  }
  const ports = await choosePorts(found.map(({ port }) => port));
  const backends = group.map(({ host, port }) => ({ id: `${host}:${port}`, url: `http://${host}:${port}` }));
  const server = await Server.start(configOf(ports, backends, "auto"), quietLog());
  printAddresses(ports, group[0]!.models[0] ?? "MODEL");
  say("\nTo keep this, write it down (evener.yaml):\n");
  for (const line of fileToKeep(ports.proxy, backends)) say(`  ${line}`);
  say("\n`listen: 8080`, without an address, would let other machines in.");
  await untilStopped(server, () => DRAIN_MS, say);
}

/** The file that does the same: on this machine only, as it runs. */
export function fileToKeep(port: number, backends: readonly { url: string }[]): readonly string[] {
  return [`listen: 127.0.0.1:${port}`, `backends: [${backends.map(({ url }) => url).join(", ")}]`];
}

async function demonstrate(withLoad: boolean): Promise<void> {
  const fleet = await startDemoFleet({ seed: DEMO_SEED });
  const ports = await choosePorts(fleet.servers.map(({ port }) => port));
  const backends = fleet.servers.map(({ name, url }) => ({ id: name, url }));
  const server = await Server.start(configOf(ports, backends, "auto"), quietLog());
  say("Three small model servers of the demo:");
  const notes = ["", "  fails now and then", "  4x slower"];
  fleet.servers.forEach(({ name, url }, i) => say(`  ${name.padEnd(6)} ${url}${notes[i] ?? ""}`));
  printAddresses(ports, "demo-model");
  const stop = new AbortController();
  const stopped = untilStopped(
    server,
    () => DRAIN_MS,
    say,
    () => stop.abort(),
  );
  if (withLoad) {
    await compareUnderLoad({
      server,
      url: `http://127.0.0.1:${ports.proxy}`,
      // Another pool, so that the second phase begins with nothing learned in the first.
      before: configOf(
        ports,
        backends,
        "round_robin",
        "round_robin",
        "\n    slowdown: off\n    outlier: off",
      ),
      after: configOf(ports, backends, "auto"),
      signal: stop.signal,
      say,
    });
  } else say("Ctrl-C stops it. `npm start -- --load` also sends traffic and shows who gets it.");
  await stopped;
  await fleet.close();
}

function printAddresses(ports: Ports, model: string): void {
  const body = `{"model":"${model}","stream":true,"messages":[{"role":"user","content":"Tell me a story"}]}`;
  say(`\nEvener balances them at  http://127.0.0.1:${ports.proxy}`);
  say(`Status page              http://127.0.0.1:${ports.admin}/\n`);
  say("Try it:\n");
  say(`  curl -N http://127.0.0.1:${ports.proxy}/v1/chat/completions \\`);
  say(`    -H 'content-type: application/json' -d '${body}'\n`);
}

interface Ports {
  readonly proxy: number;
  readonly admin: number;
}

/** The usual ports, or the next free ones; says so when they are others. */
async function choosePorts(taken: readonly number[]): Promise<Ports> {
  const proxy = await nextFreePort(PROXY_PORT, taken);
  const admin = await nextFreePort(ADMIN_PORT, [...taken, proxy]);
  if (proxy !== PROXY_PORT) say(`Port ${PROXY_PORT} is in use: listening on ${proxy} instead.`);
  if (admin !== ADMIN_PORT) say(`Port ${ADMIN_PORT} is in use: the status page is on ${admin} instead.`);
  return { proxy, admin };
}

async function nextFreePort(from: number, taken: readonly number[]): Promise<number> {
  for (let port = from; port < from + PORTS_TRIED_MAX; port++) {
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  return 0;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** What nobody asked for stays on loopback. */
function configOf(
  ports: Ports,
  backends: readonly { id: string; url: string }[],
  policy: string,
  pool = "default",
  more = "",
): Config {
  const list = backends.map(({ id, url }) => `{ id: "${id}", url: "${url}" }`).join(", ");
  const text = `
listeners: [{ bind: "127.0.0.1:${ports.proxy}" }]
admin: { bind: "127.0.0.1:${ports.admin}" }
access_log: off
threads: 0
pools:
  ${pool}:
    policy: ${policy}
    backends: [${list}]${more}
`;
  return parseConfig(text, { path: "(built in)", env: {}, readFile: () => "" });
}

/** The demo prints for people: of its own log only what is wrong. */
function quietLog(): pino.Logger {
  return pino({ level: "error", base: null }, pino.destination(2));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const PROXY_PORT = 8080;
const ADMIN_PORT = 9901;
const PORTS_TRIED_MAX = 50;
const DRAIN_MS = 10_000;
const DEMO_SEED = 20261124;
