// WebSockets and other tunnels from end to end: bytes both ways, every way to end, a reload and a stop.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import type { Backend } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import {
  configOf,
  poolOf,
  type Scene,
  type SceneOptions,
  settled,
  setUp,
  socketsTo,
  yamlOf,
} from "../fixtures/scene.ts";
import { until, within } from "../fixtures/until.ts";
import {
  acceptWebSocket,
  BINARY,
  CLOSE,
  echo,
  frame,
  framesIn,
  handshake,
  readFrame,
  TEXT,
} from "../fixtures/websocket.ts";

const MIB = 1024 * 1024;
/** The transport's high-water mark and one read. */
const HELD_BYTES_MAX = 2 * 64 * 1024;
const MASK = Uint8Array.of(1, 2, 3, 4);

/** A scene with one open tunnel: its client's and its backend's end. */
interface Tunnel extends Scene {
  readonly client: RawClient;
  readonly far: RawClient;
  /** A further one, on whichever backend is its turn. */
  readonly open: (path?: string) => Promise<{ client: RawClient; far: RawClient }>;
}

async function openTunnel(t: TestContext, options: SceneOptions = {}): Promise<Tunnel> {
  const ends = new Map<string, RawClient>();
  const scene = await setUp(t, {
    ...options,
    handler: (request) => {
      const { target } = request;
      if (request.headers.get("upgrade") === "websocket") ends.set(target, acceptWebSocket(request));
      else if (request.headers.has("upgrade")) ends.set(target, request.switchProtocols());
      else request.respond(200, "ok");
    },
  });
  const raw = options.rest?.["upgrades"] === undefined ? handshake : rawOffer;
  const open = async (path = "/ws"): Promise<{ client: RawClient; far: RawClient }> => {
    const client = await scene.connect();
    client.send(raw(path));
    assert.equal((await client.response()).status, 101);
    await until(() => ends.has(path), "the backend's end");
    return { client, far: ends.get(path)! };
  };
  return { ...scene, ...(await open()), open };
}

/** A protocol of which Evener knows nothing. */
const RAW: SceneOptions = { rest: { upgrades: ["raw"] } };

function rawOffer(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n`;
}

/** The reason and bytes of the tunnel's line in the access log. */
async function ending({ evener }: Scene, target = "/ws"): Promise<unknown[]> {
  await evener.idle();
  const line = await evener.logged((each) => each.target === target);
  assert.equal(line.status, 101);
  assert.equal(evener.log.filter((each) => each.target === target).length, 1);
  assert.equal(tunnelsOf(line["pool"] as string, evener), 0);
  return [line.reason, line["bytes_in"], line["bytes_out"]];
}

/** The gauge of open tunnels. */
function tunnelsOf(pool: string, { server }: Scene["evener"]): number {
  return server.stats(pool).tunnels;
}

describe("a WebSocket of Node's own client", () => {
  it("carries texts, large messages and the close both ways", async (t) => {
    const scene = await setUp(t, { handler: echo });
    const socket = new WebSocket(`ws://127.0.0.1:${scene.evener.port}/ws`);
    socket.binaryType = "arraybuffer";
    const received: (string | ArrayBuffer)[] = [];
    socket.addEventListener("message", ({ data }) => received.push(data as string | ArrayBuffer));
    await within(new Promise((resolve) => socket.addEventListener("open", resolve)), "the open");
    assert.equal(scene.evener.inFlight(), 1);
    assert.equal(tunnelsOf("default", scene.evener), 1);
    const large = randomBytes(3 * MIB);
    socket.send("hello");
    socket.send(large);
    socket.send("");
    await until(
      () => received.length === 3,
      () => `three messages; ${received.length} came`,
    );
    assert.equal(received[0], "hello");
    assert.ok(Buffer.from(received[1] as ArrayBuffer).equals(large));
    assert.equal(received[2], "");
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    socket.close(1000, "done");
    const { code, reason, wasClean } = await within(closed, "the close");
    assert.deepEqual({ code, reason, wasClean }, { code: 1000, reason: "done", wasClean: true });
    // Frames of a client have four bytes more: the mask.
    const sizes = [2 + 5, 10 + large.length, 2, 2 + 6];
    const bytes = sizes.reduce((sum, size) => sum + size);
    assert.deepEqual(await ending(scene), ["ok", bytes + 4 * 4, bytes]);
  });

  it("learns of a refusal", async (t) => {
    const scene = await setUp(t, { handler: (request) => request.respond(403) });
    const socket = new WebSocket(`ws://127.0.0.1:${scene.evener.port}/ws`);
    await within(new Promise((resolve) => socket.addEventListener("error", resolve)), "the error");
    await scene.evener.idle();
  });
});

describe("bytes in a tunnel", () => {
  it("are passed on as they are, in both directions at once, whatever their sizes", async (t) => {
    const tunnel = await openTunnel(t, RAW);
    const { client, far } = tunnel;
    const pieces = Array.from({ length: 200 }, (_, i) => randomBytes(1 + ((i * 7919) % 40_000)));
    for (const piece of pieces) {
      client.send(piece);
      far.send(piece);
    }
    const all = Buffer.concat(pieces);
    const sum = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
    for (const end of [client, far]) {
      await until(
        () => end.receivedLength === all.length,
        () => `all bytes; ${end.receivedLength} came`,
      );
      assert.equal(sum(end.bytes), sum(all));
    }
    client.end();
    far.end();
    assert.deepEqual(await ending(tunnel), ["ok", all.length, all.length]);
  });

  it("that look like requests are none", async (t) => {
    const tunnel = await openTunnel(t, RAW);
    tunnel.client.send(rawRequest("GET /hidden"));
    await tunnel.far.until("GET /hidden");
    assert.equal(tunnel.far.received, rawRequest("GET /hidden"));
    assert.equal(tunnel.backend.requests.length, 1);
  });

  for (const slow of ["client", "backend"] as const) {
    it(`are not read faster than the ${slow} reads them`, async (t) => {
      const tunnel = await openTunnel(t, RAW);
      const [reader, writer] = slow === "client" ? [tunnel.client, tunnel.far] : [tunnel.far, tunnel.client];
      reader.socket.pause();
      const piece = Buffer.alloc(MIB, "x");
      for (let i = 0; i < 64; i++) writer.send(piece);
      const left = await settled(() => writer.socket.writableLength);
      assert.ok(left > 0, "all of it could be sent");
      const port = slow === "client" ? tunnel.client.socket.localPort! : tunnel.backend.port;
      for (const socket of socketsTo(port)) {
        const held = socket.writableLength + socket.readableLength;
        assert.ok(held <= HELD_BYTES_MAX, `${held} bytes wait in Evener`);
      }
      // The other direction goes on meanwhile.
      reader.send("still here");
      await writer.until("still here");
      reader.socket.resume();
      await until(
        () => reader.receivedLength === 64 * MIB,
        () => `all; ${reader.receivedLength} came`,
      );
      reader.end();
      writer.end();
      assert.equal((await ending(tunnel))[0], "ok");
    });
  }
});

describe("C8 a tunnel ends", () => {
  it("half by half, the client's first", async (t) => {
    const tunnel = await openTunnel(t);
    const { client, far } = tunnel;
    client.send("last words");
    client.end();
    await until(() => far.hasEnded, "the FIN at the backend");
    assert.equal(far.received, "last words");
    for (let i = 0; i < 3; i++) {
      far.send(`answer ${i}\n`);
      await client.until(`answer ${i}\n`);
    }
    assert.equal(client.hasEnded, false);
    assert.equal(tunnel.evener.inFlight(), 1);
    far.end();
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.deepEqual([client.error, far.error], [null, null]);
    assert.deepEqual(await ending(tunnel), ["ok", 10, 27]);
  });

  it("half by half, the backend's first", async (t) => {
    const tunnel = await openTunnel(t);
    const { client, far } = tunnel;
    far.send("last words");
    far.end();
    await until(() => client.hasEnded, "the FIN at the client");
    assert.equal(client.received, "last words");
    client.send("more");
    await far.until("more");
    assert.equal(tunnel.evener.inFlight(), 1);
    client.end();
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.deepEqual([client.error, far.error], [null, null]);
    assert.deepEqual(await ending(tunnel), ["ok", 4, 10]);
  });

  it("with a FIN behind bytes that the other side has not read yet: none is lost", async (t) => {
    const tunnel = await openTunnel(t);
    const { client, far } = tunnel;
    client.socket.pause();
    far.send(Buffer.alloc(8 * MIB, "x"));
    far.end();
    client.end();
    await settled(() => far.socket.writableLength);
    assert.equal(client.hasEnded, false);
    client.socket.resume();
    await until(() => client.hasEnded, "the FIN");
    assert.equal(client.receivedLength, 8 * MIB);
    assert.deepEqual(await ending(tunnel), ["ok", 0, 8 * MIB]);
  });

  it("with the client's reset: the backend is reset, and not to blame", async (t) => {
    const tunnel = await openTunnel(t, { pool: { outlier: { consecutive: 1 } } });
    tunnel.client.reset();
    await until(() => tunnel.far.isClosed, "the backend's end to close");
    assert.equal(tunnel.far.error?.code, "ECONNRESET");
    assert.deepEqual(await ending(tunnel), ["client_abort", 0, 0]);
    await tunnel.open("/next");
  });

  it("with the reset of a client from which nothing is read, as the backend does not read", async (t) => {
    const tunnel = await openTunnel(t, RAW);
    tunnel.far.socket.pause();
    tunnel.client.send(Buffer.alloc(64 * MIB));
    await settled(() => tunnel.client.socket.writableLength);
    tunnel.client.reset();
    assert.equal((await ending(tunnel))[0], "client_abort");
  });

  it("with the backend's death: the client is reset", async (t) => {
    const tunnel = await openTunnel(t);
    await tunnel.backend.kill();
    await until(() => tunnel.client.isClosed, "the client to close");
    assert.equal(tunnel.client.error?.code, "ECONNRESET");
    assert.deepEqual(await ending(tunnel), ["backend_died", 0, 0]);
  });

  it("when it is silent for too long: both sides of a WebSocket are told", async (t) => {
    const tunnel = await openTunnel(t, { pool: { timeouts: { tunnel_idle: "1s" } } });
    const { client, far } = tunnel;
    client.send(frame(TEXT, "hi", MASK));
    await until(() => client.hasEnded && far.hasEnded, "both told");
    assert.deepEqual(told(client), [{ code: 1001, isMasked: false }]);
    assert.deepEqual(told(far), [{ code: 1001, isMasked: true }]);
    client.end();
    far.end();
    assert.deepEqual(await ending(tunnel), ["tunnel_idle", 8, 0]);
  });

  it("when it is silent for too long: another protocol is reset", async (t) => {
    const tunnel = await openTunnel(t, { ...RAW, pool: { timeouts: { tunnel_idle: "200ms" } } });
    const { client, far } = tunnel;
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.deepEqual([client.error?.code, far.error?.code], ["ECONNRESET", "ECONNRESET"]);
    assert.equal((await ending(tunnel))[0], "tunnel_idle");
  });

  it("not by silence as long as one side speaks; half closed it has no more time than an answer", async (t) => {
    const tunnel = await openTunnel(t, { ...RAW, pool: { timeouts: { idle: "1s" } } });
    const { client, far } = tunnel;
    const before = client.receivedLength;
    client.end();
    // Longer in all than the timeout, never as long in one piece.
    for (let i = 0; i < 10; i++) {
      far.send("x");
      await until(() => client.receivedLength === before + i + 1, "a byte");
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    assert.equal(client.isClosed, false);
    await until(() => client.isClosed, "the client to close");
    assert.equal(client.error?.code, "ECONNRESET");
    // Who has had our FIN learns more when it sends.
    far.send("x");
    await until(() => far.isClosed, "the backend's end to close");
    assert.deepEqual(await ending(tunnel), ["tunnel_idle", 0, 10]);
  });

  it("when a reader has stopped and nothing moves any more", async (t) => {
    const tunnel = await openTunnel(t, { ...RAW, pool: { timeouts: { tunnel_idle: "200ms" } } });
    tunnel.client.socket.pause();
    tunnel.far.send(Buffer.alloc(64 * MIB));
    await until(() => tunnel.far.isClosed, "the backend's end to close");
    assert.equal((await ending(tunnel))[0], "tunnel_idle");
  });
});

describe("a tunnel is a request in flight", () => {
  it("that takes a place of the limit until its end; who waits has it then", async (t) => {
    const tunnel = await openTunnel(t, {
      yaml: ([backend]) =>
        configOf([backend!], {
          backends: [{ url: backend!.url, limit: 1 }],
          queue: { max: 10, wait: "20s" },
        }),
    });
    const next = tunnel.request("/next");
    await until(() => tunnel.evener.queued() === 1, "one that waits");
    tunnel.client.send("a");
    await tunnel.far.until("a");
    assert.equal(tunnel.evener.queued(), 1);
    tunnel.client.end();
    tunnel.far.end();
    assert.equal((await next).status, 200);
    await tunnel.evener.idle();
  });

  it("whose length in time teaches nothing, whether it ended well or not", async (t) => {
    const tunnel = await openTunnel(t);
    const [group] = tunnel.evener.server.fleet.list();
    const { ledger, members } = group!.pool;
    const { slot } = members.list[0]!;
    const second = await tunnel.open("/second");
    const [latency, samples] = [ledger.latencyMs[slot], ledger.samples[slot]];
    tunnel.client.end();
    tunnel.far.end();
    await until(() => tunnel.evener.inFlight() === 1, "the first to end");
    second.client.reset();
    await tunnel.evener.idle();
    assert.deepEqual([ledger.latencyMs[slot], ledger.samples[slot]], [latency, samples]);
    assert.deepEqual([ledger.successes[slot], ledger.aborts[slot]], [1, 1]);
    assert.equal(tunnel.evener.server.stats("default").of(tunnel.backend.id).totalMs.count, 0);
    assert.equal(tunnel.evener.server.stats("default").of(tunnel.backend.id).firstByteMs.count, 2);
  });

  it("that brings a backend back from probation by its 101, however long it lasts then", async (t) => {
    const tunnel = await openTunnel(t, {
      count: 2,
      pool: { outlier: { consecutive: 1, ejection: "100ms", panic: "0%" }, retry: "off" },
    });
    const { pool } = tunnel.evener.server.fleet.list()[0]!;
    const endpoint = pool.members.get(tunnel.backends[1]!.id)!;
    tunnel.backends[1]!.handler = (request): void => request.respond(500);
    assert.equal((await tunnel.request("/fails")).status, 500);
    tunnel.backends[1]!.handler = tunnel.backends[0]!.handler;
    await until(() => endpoint.health.describe().state === "probation", "the probation");
    for (let i = 0; endpoint.health.describe().state === "probation" && i < 20; i++)
      await tunnel.open(`/ws/${i}`);
    assert.equal(endpoint.health.describe().state, "up");
    assert.ok(tunnel.evener.inFlight() > 1);
  });
});

describe("a change of the configuration", () => {
  it("cuts no tunnel: not those of backends that leave, nor those of a pool that does", async (t) => {
    const tunnel = await openTunnel(t, { count: 2 });
    const second = await tunnel.open("/second");
    const ends = [tunnel, second];
    const [a, b] = tunnel.backends;
    const other = (backends: readonly Backend[]): string =>
      yamlOf({ pools: { other: poolOf(backends) }, upgrades: [] });
    for (const yaml of [configOf([a!]), configOf([b!]), other([b!]), configOf([a!, b!]), other([a!])]) {
      await tunnel.evener.reload(yaml);
      for (const [i, { client, far }] of ends.entries()) {
        client.send(`to ${i};`);
        far.send(`back ${i};`);
      }
    }
    for (const [i, { client, far }] of ends.entries()) {
      await far.until(`to ${i};`.repeat(5));
      await client.until(`back ${i};`.repeat(5));
    }
    assert.equal(tunnel.evener.inFlight(), 2);
    for (const { client, far } of ends) {
      client.end();
      far.end();
    }
    await tunnel.evener.idle();
    for (const target of ["/ws", "/second"]) {
      assert.equal((await tunnel.evener.logged((line) => line.target === target)).reason, "ok");
    }
  });
});

describe("a stop", () => {
  it("lets tunnels go on for the drain time, and is clean when they end in it", async (t) => {
    const tunnel = await openTunnel(t);
    const stopped = tunnel.evener.stop(20_000);
    await assert.rejects(RawClient.connect(tunnel.evener.port), /ECONNREFUSED/);
    tunnel.client.send("still");
    await tunnel.far.until("still");
    tunnel.client.end();
    tunnel.far.end();
    assert.equal(await stopped, true);
    assert.equal(tunnel.evener.log[0]!.reason, "ok");
  });

  it("sends Close 1001 to both sides of a WebSocket at the end of the drain time", async (t) => {
    const tunnel = await openTunnel(t);
    const { client, far, evener } = tunnel;
    far.send(frame(BINARY, Buffer.alloc(70_000)));
    client.send(frame(TEXT, Buffer.alloc(300), MASK));
    await until(() => client.receivedLength === 70_010 && far.receivedLength === 308, "both frames");
    for (const end of [client, far]) end.socket.on("end", () => end.end());
    assert.equal(await evener.stop(50), false);
    assert.deepEqual(told(client), [{ code: 1001, isMasked: false }]);
    assert.deepEqual(told(far), [{ code: 1001, isMasked: true }]);
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.deepEqual([client.error, far.error], [null, null]);
    const line = evener.log[0]!;
    assert.deepEqual([line.reason, line["bytes_in"], line["bytes_out"]], ["shutdown", 308, 70_010]);
    assert.equal(evener.inFlight(), 0);
  });

  it("resets a side that is in the middle of a frame, and one that had its Close", async (t) => {
    const tunnel = await openTunnel(t);
    const { client, far, evener } = tunnel;
    far.send(frame(BINARY, Buffer.alloc(1000)).subarray(0, 500));
    client.send(frame(CLOSE, Buffer.of(0x03, 0xe8), MASK));
    await until(() => client.receivedLength === 500 && far.receivedLength === 8, "what was sent");
    assert.equal(await evener.stop(50), false);
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.equal(client.error?.code, "ECONNRESET");
    assert.equal(far.error?.code, "ECONNRESET");
    assert.equal(framesIn(far.bytes).length, 1);
    assert.equal(readFrame(client.bytes), null);
  });

  it("resets both sides of another protocol", async (t) => {
    const { client, far, evener } = await openTunnel(t, RAW);
    assert.equal(await evener.stop(50), false);
    await until(() => client.isClosed && far.isClosed, "both closed");
    assert.deepEqual([client.error?.code, far.error?.code], ["ECONNRESET", "ECONNRESET"]);
    assert.equal(client.received + far.received, "");
  });
});

/** The Close frames that have come. */
function told({ bytes }: RawClient): { code: number; isMasked: boolean }[] {
  return framesIn(bytes)
    .filter(({ opcode }) => opcode === CLOSE)
    .map(({ payload, isMasked }) => ({ code: payload.readUInt16BE(0), isMasked }));
}
