// The whole life of a small GET without sockets: parsed, routed, admitted, picked, sent, answered, relayed,
// logged. Nanoseconds and bytes per request, beside a loop over the bytes that it reads, in one run: compare
// the ratio, the times are of the machine. `--smoke` only proves that it runs.
import { Deadlines } from "../../src/http1/deadlines.ts";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { ServerConnection } from "../../src/http1/server.ts";
import type { Transport, TransportHandler } from "../../src/http1/transport.ts";
import { parseConfig } from "../../src/config/load.ts";
import { endpointSpec } from "../../src/core/endpoint.ts";
import { IpRanges } from "../../src/core/kit/ip-address.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { DataPlane } from "../../src/planes/data-plane.ts";
import { Exchange } from "../../src/proxy/exchange.ts";
import { Peer } from "../../src/proxy/peer.ts";
import { TicketKeys } from "../../src/proxy/ticket-keys.ts";
import { UpstreamConnection } from "../../src/proxy/upstream.ts";

const isSmoke = process.argv.includes("--smoke");
const ROUNDS = isSmoke ? 2_000 : 200_000;
const REPEATS = isSmoke ? 1 : 5;

const REQUEST = Buffer.from("GET /some/path HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
const ANSWER = Buffer.from(
  "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 01 Mar 2026 08:49:37 GMT\r\nContent-Type: text/plain\r\n" +
    "Content-Length: 25\r\nConnection: keep-alive\r\n\r\nhello world, hello world\n",
);

const ENDS = { remoteAddress: "127.0.0.1", remotePort: 1, localAddress: "127.0.0.1", localPort: 2 };
const RULES = { trusted: new IpRanges([]), forwardedFields: "x_forwarded" as const };

/** Takes what is written, and nothing else. */
class NullTransport implements Transport {
  handler: TransportHandler;
  readonly remoteAddress = "127.0.0.1";
  readonly isOpen = true;
  readonly bufferedBytes = 0;
  written = 0;

  constructor(handler: TransportHandler) {
    this.handler = handler;
  }

  write(data: string | Uint8Array): boolean {
    this.written += data.length;
    return true;
  }

  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
}

const config = parseConfig(
  "listen: 127.0.0.1:0\naccess_log: off\nadmin: off\nbackends: [http://127.0.0.1:1, http://127.0.0.1:2]\n",
  { path: "bench", env: {}, readFile: () => "" },
);
const clock = { nowMs: (): number => performance.now() };
const random = new Random(1);
const ledger = new Ledger();
const deadlines = new Deadlines();
const pool = new Pool({
  name: "default",
  ledger,
  clock,
  random,
  policy: createPolicy("auto", { random, slotsMax: ledger.slotsMax }),
  options: DEFAULT_POOL_OPTIONS,
});
const plane = new DataPlane(config, {
  clock,
  random,
  deadlines,
  pseudonym: "evener-0",
  tickets: new TicketKeys(),
  threads: 1,
  onPrefaceRefused: () => {},
});
plane.apply(
  config,
  [],
  () => pool,
  () => pool.update(config.pools[0]!.backends.map(({ id }) => endpointSpec(id))),
);
const { context } = plane.proxy;
// The line is made and thrown away: what the disk costs is another matter.
let lineBytes = 0;
const log = {
  isOn: true,
  isoTime: () => "2026-03-01T08:49:37.000Z",
  append: (line: string) => void (lineBytes += line.length),
};
Object.assign(context, { accessLog: log });

const upstreams: UpstreamConnection[] = [];
const [route] = context.plan.routes.routes;
if (route?.kind !== "pool") throw new Error("the route of the bench leads to a pool");
for (const endpoint of pool.members.list) {
  const own = route.traffic.upstreams.of(endpoint)!;
  const connection = new UpstreamConnection(own, DEFAULT_LIMITS, deadlines);
  connection.connected(new NullTransport(connection));
  upstreams.push(connection);
  own.giveBack(connection);
}
const connection = new ServerConnection({
  accept: (handler) => new NullTransport(handler),
  createHandler: (of) => new Exchange(context, of, new Peer(ENDS, "http", RULES)),
  limits: DEFAULT_LIMITS,
  timeouts: { headerMs: 10_000, keepAliveMs: 75_000, progressMs: 60_000 },
  deadlines,
  onClosed: () => {},
});

function round(): void {
  connection.onData(REQUEST);
  for (const upstream of upstreams) if (!upstream.isUsable) upstream.onData(ANSWER);
}

let sum = 0;
function loop(): void {
  for (let i = 0; i < REQUEST.length; i++) sum += REQUEST[i]!;
  for (let i = 0; i < ANSWER.length; i++) sum += ANSWER[i]!;
}

function measure(run: () => void): { ns: number; bytes: number } {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS / 10; i++) run();
  let bytes = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.memoryUsage().heapUsed;
    const began = performance.now();
    for (let i = 0; i < ROUNDS; i++) run();
    best = Math.min(best, ((performance.now() - began) * 1e6) / ROUNDS);
    bytes = Math.max(bytes, (process.memoryUsage().heapUsed - before) / ROUNDS);
  }
  return { ns: best, bytes };
}

const plain = measure(loop);
const request = measure(round);
process.stdout.write(
  `small GET, two backends, log line: ${request.ns.toFixed(0)} ns a request, ` +
    `${(request.ns / plain.ns).toFixed(1)}x byte loop (${plain.ns.toFixed(0)} ns); ` +
    `sink ${(sum + lineBytes) % 7}\n`,
);
deadlines.close();
process.exit(0);
