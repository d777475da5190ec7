// PROXY protocol on both sides: who may speak it, what it changes, and that HTTP never sees a byte of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IpRanges, parseIpRange } from "../../src/core/kit/ip-address.ts";
import { Deadlines } from "../../src/http1/deadlines.ts";
import { type Introduction, Prefaces } from "../../src/proxy/preface.ts";
import { proxyHeader, ProxyHeaderParser } from "../../src/http1/proxy-protocol.ts";
import { NEED_MORE } from "../../src/http1/parser.ts";
import { fetchOnce } from "../../src/http1/client.ts";
import { type Backend, startBackend } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { configOf, type Scene, type SceneOptions, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const LISTENERS = [{ bind: "127.0.0.1:0", proxy_protocol: true }];
const TRUST = { listeners: LISTENERS, trusted_proxies: ["127.0.0.0/8"] };
const ENDS = { remoteAddress: "203.0.113.7", localAddress: "192.0.2.1", remotePort: 5555, localPort: 443 };
const V1 = proxyHeader("v1", ENDS);
const V2 = proxyHeader("v2", ENDS);
/** ::ffff:1.2.3.4 at both ends. */
const MAPPED = Buffer.concat([
  Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24"),
  Buffer.from("00000000000000000000ffff01020304".repeat(2), "hex"),
  Buffer.from([0, 1, 0, 2]),
]).toString("latin1");
const GET = "GET /x HTTP/1.1\r\nhost: test\r\n\r\n";

async function start(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  return setUp(t, { ...options, rest: { ...TRUST, ...options.rest } });
}

const refusals = (scene: Scene): number => scene.evener.server.counts().refusedPrefaces;

describe("proxy_protocol: true", () => {
  const headers: readonly [string, string, string][] = [
    ["v1", V1, "203.0.113.7"],
    ["v2", V2, "203.0.113.7"],
    [
      "v1 of IPv6",
      proxyHeader("v1", { ...ENDS, remoteAddress: "2001:DB8::1", localAddress: "::1" }),
      "2001:db8::1",
    ],
    ["v2 of an IPv4-mapped address", MAPPED, "1.2.3.4"],
    ["v1 UNKNOWN", "PROXY UNKNOWN\r\n", "127.0.0.1"],
    ["v2 LOCAL", proxyHeader("v2", null), "127.0.0.1"],
    ["v2 UNSPEC", proxyHeader("v2", {}), "127.0.0.1"],
  ];
  for (const [what, header, address] of headers) {
    it(`${what}: the client is ${address}, for the log and for backends`, async (t) => {
      const scene = await start(t);
      const client = await scene.connect();
      client.send(header + GET + GET);
      for (let i = 0; i < 2; i++) assert.equal((await client.response()).status, 200);
      for (const { headers: fields } of scene.backend.requests) {
        assert.equal(fields.get("x-forwarded-for"), address);
        assert.equal(fields.get("x-forwarded-proto"), "http");
      }
      const line = await scene.evener.logged(({ status }) => status === 200);
      assert.equal(line["client"], address);
      assert.equal(refusals(scene), 0);
    });
  }

  it("byte by byte, the head of the request behind it too", async (t) => {
    const scene = await start(t);
    for (const header of [V1, V2]) {
      const client = await scene.connect();
      for (const byte of Buffer.from(header + GET, "latin1")) {
        client.send(Buffer.from([byte]));
        await sleep(0);
      }
      assert.equal((await client.response()).status, 200);
    }
    assert.deepEqual(
      scene.backend.requests.map(({ target, headers }) => [target, headers.get("x-forwarded-for")]),
      [
        ["/x", "203.0.113.7"],
        ["/x", "203.0.113.7"],
      ],
    );
  });

  it("a large body behind it comes whole", async (t) => {
    const scene = await start(t, {
      handler: async (request) => request.respond(200, String((await request.body()).length)),
    });
    const client = await scene.connect();
    const body = "b".repeat(1_000_000);
    client.send(V2 + rawRequest("POST /", {}, body));
    assert.equal((await client.response()).body, "1000000");
  });

  it("an option says that the client came over TLS", async (t) => {
    const scene = await start(t);
    const bytes = Buffer.from(`${V2}\x20\x00\x05\x01${"\0".repeat(4)}`, "latin1");
    bytes.writeUInt16BE(bytes.length - 16, 14);
    const client = await scene.connect();
    client.send(bytes);
    client.send(GET);
    await client.response();
    assert.equal(scene.backend.requests[0]!.headers.get("x-forwarded-proto"), "https");
  });

  const refused: readonly [string, string][] = [
    ["HTTP without a header", GET],
    ["TLS without a header", "\x16\x03\x01\x02\x00\x01"],
    ["a header with a bad address", `PROXY TCP4 1.2.3.4 1.2.3.400 1 2\r\n${GET}`],
    ["an unknown command", "\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c" + GET],
    ["a line without end", `PROXY UNKNOWN ${"x".repeat(200)}`],
  ];
  for (const [what, bytes] of refused) {
    it(`${what} is closed without a word, and counted`, async (t) => {
      const scene = await start(t);
      const client = await scene.connect();
      client.send(bytes);
      await client.closed();
      assert.equal(client.received, "");
      assert.equal(scene.backend.requests.length, 0);
      assert.equal(refusals(scene), 1);
      await until(() => scene.evener.server.connections === 0, "no connection");
    });
  }

  it("a second header is a bad request", async (t) => {
    const scene = await start(t);
    const client = await scene.connect();
    client.send(V1 + V1 + GET);
    assert.equal((await client.response()).status, 400);
    assert.equal(scene.backend.requests.length, 0);
  });

  it("whoever is not trusted is closed, with a good header, too", async (t) => {
    const scene = await start(t, { rest: { trusted_proxies: ["10.0.0.0/8"] } });
    const client = await scene.connect();
    client.send(V1 + GET);
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(refusals(scene), 1);
    assert.equal(scene.evener.server.connections, 0);
  });

  it("whoever is slow is closed after header_timeout", async (t) => {
    const scene = await start(t, { rest: { limits: { header_timeout: "100ms" } } });
    const clients = await Promise.all([scene.connect(), scene.connect()]);
    clients[1].send(V1.slice(0, 20));
    await Promise.all(clients.map((client) => client.closed()));
    assert.equal(refusals(scene), 2);
  });

  it("a load balancer that only looks is no refusal", async (t) => {
    const scene = await start(t);
    const looker = await scene.connect();
    await until(() => scene.evener.server.connections === 1, "its connection");
    looker.end();
    await looker.closed();
    await until(() => scene.evener.server.connections === 0, "no connection");
    assert.equal(refusals(scene), 0);
    const leaver = await scene.connect();
    leaver.send("PROXY ");
    leaver.end();
    await leaver.closed();
    assert.equal(refusals(scene), 1);
  });

  it("those that wait count as connections, and end with the drain", async (t) => {
    const scene = await start(t, { rest: { limits: { connections: 2 } } });
    const waiting = await Promise.all([scene.connect(), scene.connect()]);
    await until(() => scene.evener.server.connections === 2, "both");
    const third = await scene.connect();
    assert.equal((await third.response()).status, 503);
    assert.equal(await scene.evener.stop(5_000), true);
    await Promise.all(waiting.map((client) => client.closed()));
  });

  it("a trusted source of the header may speak for others; the sender may not", async (t) => {
    const scene = await start(t, { rest: { trusted_proxies: ["127.0.0.1", "10.0.0.0/8"] } });
    const forwarded = GET.replace("\r\n\r\n", "\r\nx-forwarded-for: 1.2.3.4\r\n\r\n");
    for (const remoteAddress of ["203.0.113.7", "10.0.0.9"]) {
      const client = await scene.connect();
      client.send(proxyHeader("v1", { ...ENDS, remoteAddress }) + forwarded);
      await client.response();
    }
    assert.deepEqual(
      scene.backend.requests.map(({ headers }) => headers.get("x-forwarded-for")),
      ["203.0.113.7", "1.2.3.4, 10.0.0.9"],
    );
  });

  it("beside a listener without it: each speaks its own, also after a reload", async (t) => {
    const scene = await setUp(t);
    const config = (isProxy: boolean): string =>
      configOf(
        scene.backends,
        {},
        { listeners: [{ bind: "127.0.0.1:0", proxy_protocol: isProxy }], trusted_proxies: ["127.0.0.1"] },
      );
    const speaks = async (bytes: string): Promise<number> => {
      const client = await scene.connect();
      client.send(bytes);
      await until(
        () => client.receivedLength > 0 || client.hasEnded || client.isClosed,
        "an answer or a close",
      );
      return client.receivedLength === 0 ? 0 : (await client.response()).status;
    };
    assert.deepEqual([await speaks(GET), await speaks(V1 + GET)], [200, 400]);
    await scene.evener.reload(config(true));
    assert.deepEqual([await speaks(GET), await speaks(V1 + GET)], [0, 200]);
    await scene.evener.reload(config(false));
    assert.deepEqual([await speaks(GET), await speaks(V1 + GET)], [200, 400]);
  });

  it("refusals are a metric", async (t) => {
    const scene = await start(t, { rest: { admin: { bind: "127.0.0.1:0" } } });
    const client = await scene.connect();
    client.send(GET);
    await client.closed();
    const { body } = await fetchOnce({
      host: "127.0.0.1",
      port: scene.evener.adminPort!,
      path: "/metrics",
      timeoutMs: 5_000,
      bodyBytesMax: 1e6,
    });
    assert.match(body.toString(), /^evener_proxy_protocol_refused_total 1$/m);
  });
});

describe("a socket behind its header", () => {
  // The handshake may have come with the header: then it is in the socket again.
  for (const isTogether of [true, false]) {
    it(`goes on to TLS, ${isTogether ? "header and handshake in one piece" : "one after the other"}`, async (t) => {
      const deadlines = new Deadlines();
      const key = Buffer.alloc(16, 7);
      const psk = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: "PSK-AES128-GCM-SHA256" } as const;
      const inner = tls.createServer({ ...psk, pskCallback: () => key }, (socket) => socket.end("secret"));
      const prefaces = new Prefaces(deadlines, (address, reason) => assert.fail(`${address} ${reason}`));
      const trusted = new IpRanges([parseIpRange("127.0.0.1")!.range]);
      const told: Introduction[] = [];
      const outer = net.createServer((socket) => {
        prefaces.await(socket, trusted, 5_000, (introduction) => {
          told.push(introduction);
          inner.emit("connection", socket);
        });
      });
      outer.listen(0, "127.0.0.1");
      await once(outer, "listening");
      t.after(() => {
        outer.close();
        deadlines.close();
      });
      const raw = net.connect((outer.address() as net.AddressInfo).port, "127.0.0.1");
      await once(raw, "connect");
      if (isTogether) raw.cork();
      raw.write(V2, "latin1");
      if (!isTogether) await until(() => told.length > 0, "the header");
      const pskCallback = (): { psk: Buffer; identity: string } => ({ psk: key, identity: "test" });
      const held = isTogether ? corked(raw) : raw;
      const client = tls.connect({ ...psk, socket: held, pskCallback, checkServerIdentity: () => undefined });
      const pieces = await client.toArray();
      assert.equal(Buffer.concat(pieces as Buffer[]).toString(), "secret");
      assert.deepEqual(told[0]!.ends, ENDS);
      client.destroy();
      raw.destroy();
    });
  }
});

/** `raw` with what was written to it held back until the first bytes of TLS go out with it. */
function corked(raw: net.Socket): Duplex {
  return new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      raw.write(bytes, done);
      raw.uncork();
    },
    final: (done) => raw.end(done),
    construct(done) {
      raw.on("data", (bytes) => this.push(bytes));
      raw.on("end", () => this.push(null));
      done();
    },
  });
}

/** A TCP server that takes a PROXY header off each connection and hands the rest to a backend. */
interface Unwrapper {
  readonly port: number;
  /** The source that each connection named, in order; null for none. */
  readonly sources: (string | null)[];
}

async function unwrap(t: TestContext, backend: Backend): Promise<Unwrapper> {
  const sources: (string | null)[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const parser = new ProxyHeaderParser();
    const inner = net.connect(backend.port, "127.0.0.1");
    let isRead = false;
    for (const each of [socket, inner]) {
      sockets.add(each);
      each.on("error", () => {});
    }
    socket.on("data", (bytes: Buffer) => {
      if (isRead) return void inner.write(bytes);
      const used = parser.parse(bytes);
      if (used === NEED_MORE) return;
      // Also when the header is bad: the test sees it then.
      isRead = true;
      const { ends } = parser;
      sources.push(
        used < 0 ? parser.error : ends === null ? null : `${ends.remoteAddress} ${ends.localAddress}`,
      );
      if (used >= 0 && used < bytes.length) inner.write(bytes.subarray(used));
    });
    inner.on("data", (bytes: Buffer) => socket.write(bytes));
    socket.on("close", () => inner.destroy());
    inner.on("close", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, sources };
}

/** Evener in front of a backend that expects the header. */
async function startOut(
  t: TestContext,
  version: string,
  pool: Readonly<Record<string, unknown>> = {},
): Promise<Scene & { readonly sources: (string | null)[]; readonly behind: Backend }> {
  const behind = await startBackend();
  const { port, sources } = await unwrap(t, behind);
  const scene = await setUp(t, {
    yaml: () =>
      configOf(
        [],
        { backends: [`http://127.0.0.1:${port}`], proxy_protocol: version, ...pool },
        { trusted_proxies: ["127.0.0.1"] },
      ),
  });
  t.after(() => behind.stop());
  return { ...scene, sources, behind };
}

async function ask(client: RawClient, address = ""): Promise<void> {
  const fields = address === "" ? {} : { "x-forwarded-for": address };
  client.send(rawRequest("GET /", fields));
  assert.equal((await client.response()).status, 200);
}

for (const version of ["v1", "v2"]) {
  describe(`proxy_protocol: ${version} of a pool`, () => {
    it("every connection begins with the header; one client's is used again, for that client alone", async (t) => {
      const { connect, sources, behind } = await startOut(t, version);
      const [one, two] = await Promise.all([connect(), connect()]);
      for (let i = 0; i < 3; i++) {
        await ask(one);
        await ask(two);
      }
      // Two connections of one address differ by their ports.
      assert.deepEqual(sources, ["127.0.0.1 127.0.0.1", "127.0.0.1 127.0.0.1"]);
      assert.equal(behind.requests.length, 6);
    });

    it("clients behind a trusted proxy have connections of their own, whatever connection they come by", async (t) => {
      const { connect, sources, behind } = await startOut(t, version);
      const [one, two] = await Promise.all([connect(), connect()]);
      for (const client of [one, two, one]) {
        for (const address of ["1.2.3.4", "2001:db8::1", "5.6.7.8"]) await ask(client, address);
      }
      assert.deepEqual(sources, ["1.2.3.4 127.0.0.1", "2001:db8::1 127.0.0.1", "5.6.7.8 127.0.0.1"]);
      assert.equal(behind.requests.length, 9);
      for (const { headers, socket } of behind.requests) {
        const first = behind.requests.find((other) => other.socket === socket)!;
        assert.equal(headers.get("x-forwarded-for"), first.headers.get("x-forwarded-for"));
      }
    });

    it("idle_max keeps those of the latest clients", async (t) => {
      const { connect, sources } = await startOut(t, version, { connections: { idle_max: 1 } });
      const client = await connect();
      for (const address of ["1.1.1.1", "2.2.2.2", "2.2.2.2", "1.1.1.1"]) await ask(client, address);
      assert.deepEqual(
        sources.map((source) => source!.split(" ")[0]),
        ["1.1.1.1", "2.2.2.2", "1.1.1.1"],
      );
    });

    it("a request that is repeated on a fresh connection has its header there, too", async (t) => {
      const { connect, sources, behind } = await startOut(t, version);
      behind.handler = (request): void => (request.nth === 0 ? request.respond(200) : request.reset());
      const client = await connect();
      for (let i = 0; i < 2; i++) await ask(client, "1.2.3.4");
      assert.deepEqual(sources, ["1.2.3.4 127.0.0.1", "1.2.3.4 127.0.0.1"]);
    });

    for (const kind of ["http", "tcp"]) {
      it(`${kind} probes name nobody`, async (t) => {
        const { sources, evener } = await startOut(t, version, { health: { kind, interval: "100ms" } });
        await until(() => sources.length > 1, "two probes");
        assert.equal(sources[0], null);
        assert.equal(sources[1], null);
        const endpoint = evener.server.fleet.list()[0]!.pool.members.list[0]!;
        await until(
          () => endpoint.health.probe.kind === "up",
          () => JSON.stringify(endpoint.health.probe),
        );
      });
    }

    it("what came in by the PROXY protocol goes out by it, with its port", async (t) => {
      const behind = await startBackend();
      const { port, sources } = await unwrap(t, behind);
      const scene = await setUp(t, {
        yaml: () => configOf([], { backends: [`http://127.0.0.1:${port}`], proxy_protocol: version }, TRUST),
      });
      t.after(() => behind.stop());
      const client = await scene.connect();
      client.send(V2 + GET);
      await client.response();
      assert.deepEqual(sources, ["203.0.113.7 192.0.2.1"]);
    });
  });
}
