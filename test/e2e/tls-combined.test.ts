// TLS together with what stands before it (PROXY headers) and what comes after it (tunnels, streams).
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it, type TestContext } from "node:test";
import tls from "node:tls";
import { proxyHeader } from "../../src/http1/proxy-protocol.ts";
import { makeAuthority, makeCertificate } from "../fixtures/certificates.ts";
import { startBackend } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { folderOf, save, setUpTls, type TlsScene } from "../fixtures/tls-scene.ts";
import { until, within } from "../fixtures/until.ts";
import { BINARY, CLOSE, echo, frame, framesIn, handshake } from "../fixtures/websocket.ts";

const ENDS = { remoteAddress: "203.0.113.7", localAddress: "192.0.2.1", remotePort: 5555, localPort: 443 };

describe("a PROXY header before TLS", () => {
  const setUpProxied = (t: TestContext, more: object = {}): Promise<TlsScene> =>
    setUpTls(t, undefined, { rest: { trusted_proxies: ["127.0.0.0/8"], ...more } }, { proxy_protocol: true });

  for (const version of ["v1", "v2"] as const) {
    it(`${version}: the client is the one of the header, and its way was https`, async (t) => {
      const scene = await setUpProxied(t);
      const raw = await scene.connect();
      raw.send(proxyHeader(version, ENDS));
      const socket = tls.connect({ socket: raw.socket, ca: scene.ca.cert, servername: "localhost" });
      const client = new RawClient(socket);
      await within(once(socket, "secureConnect"), "the handshake");
      client.send(rawRequest("GET /"));
      assert.equal((await client.response()).status, 200);
      const { headers } = scene.backend.requests[0]!;
      assert.equal(headers.get("x-forwarded-for"), "203.0.113.7");
      assert.equal(headers.get("x-forwarded-proto"), "https");
    });
  }

  it("many at once are not mixed up", async (t) => {
    const scene = await setUpProxied(t);
    const clients = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const raw = await scene.connect();
        raw.send(proxyHeader("v1", { ...ENDS, remoteAddress: `203.0.113.${i}` }));
        const socket = tls.connect({ socket: raw.socket, ca: scene.ca.cert, servername: "localhost" });
        const client = new RawClient(socket);
        await within(once(socket, "secureConnect"), "the handshake");
        client.send(rawRequest(`GET /${i}`));
        return client;
      }),
    );
    for (const client of clients) assert.equal((await client.response()).status, 200);
    const told = scene.backend.requests.map(
      ({ target, headers }) => `${target} ${headers.get("x-forwarded-for")}`,
    );
    assert.deepEqual(told.toSorted(), clients.map((_, i) => `/${i} 203.0.113.${i}`).toSorted());
  });

  it("TLS without a header, a header without TLS and a header without trust are closed", async (t) => {
    const scene = await setUpProxied(t, { limits: { tls_handshake_timeout: "200ms" } });
    await assert.rejects(scene.connectTls());
    const silent = await scene.connect();
    silent.send(proxyHeader("v1", ENDS));
    const plain = await scene.connect();
    plain.send(proxyHeader("v1", ENDS) + rawRequest("GET /"));
    assert.equal((await plain.response()).status, 400);
    await Promise.all([silent.closed(), plain.closed()]);
    const distrusting = await setUpProxied(t, { trusted_proxies: ["10.0.0.0/8"] });
    const client = await distrusting.connect();
    await client.closed();
    assert.equal(scene.backend.requests.length, 0);
  });
});

it("a PROXY header goes to a backend before TLS, on every connection and for probes", async (t) => {
  const ca = makeAuthority();
  const seen: string[] = [];
  const secure = tls.createServer(makeCertificate({ by: ca }), (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  });
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("readable", () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return void socket.destroy();
      const end = bytes.indexOf("\r\n") + 2;
      seen.push(bytes.subarray(0, end).toString("latin1"));
      socket.unshift(bytes.subarray(end));
      secure.emit("connection", socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { connect } = await setUp(t, {
    pool: {
      // A name, so that its addresses would be tried in turn.
      backends: [`https://localhost:${port}`],
      proxy_protocol: "v1",
      tls: { ca: save(folderOf(t), "ca", ca).cert },
      health: { path: "/health", interval: "100ms" },
    },
  });
  const client = await connect();
  for (let i = 0; i < 3; i++) {
    client.send(rawRequest(`GET /${i}`));
    assert.equal((await client.response()).body, "ok");
  }
  await until(
    () => seen.includes("PROXY UNKNOWN\r\n"),
    () => `a probe; ${JSON.stringify(seen)}`,
  );
  const requests = seen.filter((line) => line.startsWith("PROXY TCP4 127.0.0.1 127.0.0.1 "));
  assert.equal(requests.length, 1, JSON.stringify(seen));
});

describe("a WebSocket through TLS on both sides", () => {
  async function setUpTunnel(t: TestContext): Promise<{ scene: TlsScene; open: () => Promise<RawClient> }> {
    const ca = makeAuthority();
    const folder = folderOf(t);
    const backend = await startBackend({ tls: makeCertificate({ by: ca }), handler: echo });
    t.after(() => backend.stop());
    const scene = await setUpTls(t, undefined, {
      pool: { backends: [backend.url], tls: { ca: save(folder, "ca", ca).cert } },
    });
    const open = async (): Promise<RawClient> => {
      const client = await scene.connectTls();
      client.send(handshake());
      await client.until("\r\n\r\n");
      return client;
    };
    return { scene, open };
  }

  it("carries frames, large ones too, and ends in peace", async (t) => {
    const { scene, open } = await setUpTunnel(t);
    const client = await open();
    const mask = Buffer.from([1, 2, 3, 4]);
    const payload = Buffer.alloc(300_000, "w");
    const headLength = client.received.indexOf("\r\n\r\n") + 4;
    client.send(frame(BINARY, payload, mask));
    await until(() => framesIn(client.bytes.subarray(headLength)).length === 1, "the echo");
    assert.deepEqual(framesIn(client.bytes.subarray(headLength))[0]!.payload, payload);
    client.send(frame(CLOSE, Buffer.from([3, 232]), mask));
    await until(() => framesIn(client.bytes.subarray(headLength)).length === 2, "the answer to the close");
    await client.closed();
    client.destroy();
    await scene.evener.idle();
  });

  it("ends for the backend when the client is cut off", async (t) => {
    const { scene, open } = await setUpTunnel(t);
    const client = await open();
    assert.equal(scene.evener.inFlight(), 1);
    client.destroy();
    await scene.evener.idle();
  });
});

it("a stream goes out piece by piece", async (t) => {
  const { backend, connectTls } = await setUpTls(t, undefined, { handler: () => {} });
  const client = await connectTls();
  client.send(rawRequest("GET /stream"));
  const request = await backend.request(0);
  request.sse();
  for (let i = 0; i < 20; i++) {
    request.event(`piece ${i}`);
    await client.until(`piece ${i}\n`);
  }
  request.lastChunk();
  assert.equal((await client.response()).status, 200);
});
