// TLS to backends: who is believed, what a failure looks like, and that nothing ever goes out in plain.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it, type TestContext } from "node:test";
import type tls from "node:tls";
import {
  type Authority,
  type Certificate,
  makeAuthority,
  makeCertificate,
} from "../fixtures/certificates.ts";
import { type Backend, type BackendHandler, startBackend, startBackends } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import { folderOf, save } from "../fixtures/tls-scene.ts";
import { until } from "../fixtures/until.ts";

interface SetUp {
  /** Of the backend; by the trusted authority and for 127.0.0.1 if absent. */
  readonly pair?: (ca: Authority) => Certificate;
  /** Further options of its TLS server. */
  readonly server?: (ca: Authority) => tls.TlsOptions;
  /** Further keys of the pool's `tls`. */
  readonly tls?: (ca: Authority, folder: string) => Readonly<Record<string, unknown>>;
  readonly pool?: Readonly<Record<string, unknown>>;
  readonly handler?: BackendHandler;
}

async function setUpSecure(t: TestContext, options: SetUp = {}): Promise<Scene & { ca: Authority }> {
  const ca = makeAuthority();
  const folder = folderOf(t);
  const pair = options.pair?.(ca) ?? makeCertificate({ by: ca });
  const keys = { ca: save(folder, "ca", ca).cert, ...options.tls?.(ca, folder) };
  const scene = await setUp(t, {
    backend: { tls: { ...pair, ...options.server?.(ca) } },
    ...(options.handler && { handler: options.handler }),
    pool: { tls: keys, ...options.pool },
  });
  return { ...scene, ca };
}

describe("a backend with TLS", () => {
  it("is verified, and its connection is used again", async (t) => {
    const { backend, connect, evener } = await setUpSecure(t);
    const client = await connect();
    for (let i = 0; i < 5; i++) {
      client.send(rawRequest(`GET /${i}`));
      assert.equal((await client.response()).status, 200);
    }
    assert.equal(backend.used, 1);
    assert.equal(backend.requests[0]!.headers.get("x-forwarded-proto"), "http");
    const line = await evener.logged(({ target }) => target === "/4");
    assert.equal(line.backend, backend.id);
    assert.equal(line["detail"], undefined);
  });

  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    it(`further connections resume the session, unless its certificate was not accepted (${maxVersion})`, async (t) => {
      const reused: boolean[] = [];
      const scene = await setUpSecure(t, {
        server: () => ({ maxVersion }),
        handler: (request) => {
          reused.push((request.socket as tls.TLSSocket).isSessionReused());
          request.respond(200, "", { connection: "close" });
        },
      });
      for (let i = 0; i < 3; i++) assert.equal((await scene.request(`/${i}`)).status, 200);
      assert.deepEqual(reused, [false, true, true]);
      const other = await setUpSecure(t, { server: () => ({ maxVersion }), pair: () => makeCertificate() });
      for (let i = 0; i < 3; i++) assert.equal((await other.request(`/${i}`)).status, 502);
      assert.equal(other.backend.requests.length, 0);
    });
  }

  it("is asked for by name, and must have that name", async (t) => {
    const names: string[] = [];
    const { request } = await setUpSecure(t, {
      pair: (ca) => makeCertificate({ by: ca, names: ["model.internal"] }),
      server: () => ({
        SNICallback: (name, done) => {
          names.push(name);
          done(null);
        },
      }),
      tls: () => ({ server_name: "Model.internal" }),
    });
    assert.equal((await request("/")).status, 200);
    assert.deepEqual(names, ["model.internal"]);
  });

  it("gets our certificate where it asks for one", async (t) => {
    const asks = (ca: Authority): tls.TlsOptions => ({
      ca: ca.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const own = (ca: Authority, folder: string): { cert: string; key: string } =>
      save(folder, "own", makeCertificate({ by: ca, names: ["evener"] }));
    const known = await setUpSecure(t, { server: asks, tls: own });
    assert.equal((await known.request("/")).status, 200);
    const unknown = await setUpSecure(t, { server: asks });
    assert.equal((await unknown.request("/")).status, 502);
    assert.equal(unknown.backend.requests.length, 0);
  });

  it("is believed whoever it is where verify is off", async (t) => {
    const { request } = await setUpSecure(t, {
      pair: () => makeCertificate({ names: ["other.test"], days: -1 }),
      tls: () => ({ verify: "off", ca: undefined }),
    });
    assert.equal((await request("/")).status, 200);
  });
});

describe("a backend that is not to be trusted", () => {
  const judged = { outlier: { consecutive: 5 }, retry: "off" };
  const cases: Readonly<Record<string, (ca: Authority) => Certificate>> = {
    ETLS_EXPIRED: (ca) => makeCertificate({ by: ca, days: -1 }),
    ETLS_NOT_YET_VALID: (ca) => makeCertificate({ by: ca, fromDays: 1 }),
    ETLS_WRONG_NAME: (ca) => makeCertificate({ by: ca, names: ["other.test", "10.0.0.1"] }),
    ETLS_UNKNOWN_CA: () => makeCertificate({ by: makeAuthority() }),
  };
  for (const [code, pair] of Object.entries(cases)) {
    it(`${code}: no request goes to it, and log and event say why`, async (t) => {
      const { backend, request, evener } = await setUpSecure(t, { pair, pool: judged });
      const answer = await request("/");
      assert.equal(answer.status, 502);
      assert.match(String(answer.headers["proxy-status"]), /EVENER_CONNECT_FAILED/);
      const line = await evener.logged(({ target }) => target === "/");
      assert.deepEqual([line.reason, line["detail"]], ["connect_failed", code]);
      const ejected = evener.server.events.since(0, 100).find(({ event }) => event.kind === "ejected")?.event;
      assert.match(ejected?.evidence ?? "", new RegExp(code));
      assert.equal(backend.requests.length, 0);
    });
  }

  it("that speaks no TLS gets no request in plain", async (t) => {
    let received = "";
    const plain = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        received += bytes.toString("latin1");
        socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
      });
    });
    const port = await listening(t, plain);
    const { request, evener } = await setUp(t, {
      pool: { backends: [`https://127.0.0.1:${port}`], retry: "off" },
    });
    assert.equal((await request("/")).status, 502);
    const line = await evener.logged(({ target }) => target === "/");
    assert.equal(line["detail"], "ETLS_PLAIN");
    assert.equal(received[0], "\x16");
    assert.doesNotMatch(received, /HTTP|GET/);
  });

  it("that stalls in the handshake has the connect timeout", async (t) => {
    const silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    const port = await listening(t, silent);
    const { request, evener } = await setUp(t, {
      pool: { backends: [`https://127.0.0.1:${port}`], retry: "off", timeouts: { connect: "100ms" } },
    });
    assert.equal((await request("/")).status, 502);
    const line = await evener.logged(({ target }) => target === "/");
    assert.deepEqual([line.reason, line["detail"]], ["connect_failed", "ETLS_TIMEOUT"]);
  });

  it("that closes in the handshake says so", async (t) => {
    const closing = net.createServer((socket) => socket.on("error", () => {}).end());
    const port = await listening(t, closing);
    const { request, evener } = await setUp(t, {
      pool: { backends: [`https://127.0.0.1:${port}`], retry: "off" },
    });
    assert.equal((await request("/")).status, 502);
    const line = await evener.logged(({ target }) => target === "/");
    assert.equal(line["detail"], "ETLS_CLOSED");
  });

  it("leaves the work to the others", async (t) => {
    const ca = makeAuthority();
    const folder = folderOf(t);
    const good = await startBackend({ tls: makeCertificate({ by: ca }) });
    const bad = await startBackend({ tls: makeCertificate({ by: ca, days: -1 }) });
    t.after(() => Promise.all([good.stop(), bad.stop()]));
    const { request, evener } = await setUp(t, {
      pool: { backends: [bad.url, good.url], outlier: {}, tls: { ca: save(folder, "ca", ca).cert } },
    });
    for (let i = 0; i < 10; i++) assert.equal((await request(`/${i}`)).status, 200);
    assert.deepEqual([bad.requests.length, good.requests.length], [0, 10]);
    const saved = await evener.logged(({ failed }) => failed !== undefined);
    assert.deepEqual([saved.failed, saved["detail"]], [`${bad.id}:connect_failed`, "ETLS_EXPIRED"]);
  });
});

describe("probes of backends with TLS", () => {
  const health = { kind: "http", path: "/health", interval: "100ms", rise: 1, fall: 1 };
  for (const kind of ["http", "tcp"]) {
    it(`${kind}: verify as requests do`, async (t) => {
      const ca = makeAuthority();
      const folder = folderOf(t);
      const pairs = [makeCertificate({ by: ca }), makeCertificate({ by: ca, days: -1 })];
      const backends: Backend[] = [];
      for (const pair of pairs) backends.push(await startBackend({ tls: pair }));
      t.after(() => Promise.all(backends.map((backend) => backend.stop())));
      const { evener } = await setUp(t, {
        pool: {
          backends: backends.map(({ url }) => url),
          health: { ...health, kind },
          tls: { ca: save(folder, "ca", ca).cert },
        },
      });
      const { pool } = evener.server.fleet.list()[0]!;
      const probeOf = (id: string): string => JSON.stringify(pool.members.get(id)!.health.probe);
      await until(
        () => probeOf(backends[1]!.id).includes("probe: ETLS_EXPIRED"),
        () => probeOf(backends[1]!.id),
      );
      await until(
        () => probeOf(backends[0]!.id).includes('"up"'),
        () => probeOf(backends[0]!.id),
      );
    });
  }
});

describe("large bodies", () => {
  it("go both ways through TLS on both sides, with backpressure", async (t) => {
    const BYTES = 24 * 1024 * 1024;
    const ca = makeAuthority();
    const folder = folderOf(t);
    const pair = makeCertificate({ by: ca });
    const [backend] = await startBackends(1, undefined, { tls: pair });
    t.after(() => backend!.stop());
    const scene = await setUp(t, {
      pool: { backends: [backend!.url], tls: { ca: save(folder, "ca", ca).cert } },
      rest: { listeners: [{ bind: "127.0.0.1:0", tls: save(folder, "own", pair) }] },
    });
    const client = await RawClient.connectTls({
      port: scene.evener.port,
      ca: ca.cert,
      servername: "localhost",
    });
    t.after(() => client.destroy());
    await pushUp(client, backend!, BYTES);
    await pullDown(client, backend!, BYTES);
  });
});

/** The port of a server that ends with the test. */
async function listening(t: TestContext, server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** The backend stops reading, so the client must stall; then all of it comes. */
async function pushUp(client: RawClient, backend: Backend, bytes: number): Promise<void> {
  backend.handler = (request): void => void request.socket.pause();
  client.send(`POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: ${bytes}\r\n\r\n`);
  const request = await backend.request(0);
  client.send(Buffer.alloc(bytes, "u"));
  await stalls(() => request.bodyBytes + client.socket.writableLength);
  assert.ok(client.socket.writableLength > bytes / 4, "most of it waits at the client");
  request.socket.resume();
  await until(
    () => request.isBodyDone,
    () => `${request.bodyBytes} of ${bytes} bytes`,
  );
  assert.equal(request.bodyBytes, bytes);
  request.respond(200, "done");
  assert.equal((await client.response()).body, "done");
}

/** The client stops reading, so the backend must stall; then all of it comes. */
async function pullDown(client: RawClient, backend: Backend, bytes: number): Promise<void> {
  backend.handler = (): void => {};
  client.send(rawRequest("GET /down"));
  const request = await backend.request(1);
  client.socket.pause();
  request.head(200, { "content-length": String(bytes) });
  request.write(Buffer.alloc(bytes, "d"));
  await stalls(() => request.socket.writableLength);
  assert.ok(request.socket.writableLength > bytes / 4, "most of it waits at the backend");
  client.socket.resume();
  await until(
    () => client.receivedLength > bytes,
    () => `${client.receivedLength} bytes; ${request.socket.writableLength} wait at the backend`,
  );
  const { body } = await client.response();
  assert.equal(body.length, bytes);
  assert.equal(body.replaceAll("d", ""), "");
}

/** Waits until the figure moves no more. */
async function stalls(read: () => number): Promise<void> {
  let before = -1;
  let same = 0;
  await until(
    () => {
      const now = read();
      same = now === before ? same + 1 : 0;
      before = now;
      return same > 50;
    },
    () => `a stall; still ${before}`,
  );
}
