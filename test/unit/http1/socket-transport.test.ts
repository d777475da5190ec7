import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { after, describe, test } from "node:test";
import { acceptTransport, connectTransport } from "../../../src/http1/socket-transport.ts";
import type { Transport, TransportHandler } from "../../../src/http1/transport.ts";

/** Records what it is told; `seen(word)` waits until an event has come. */
class Recorder implements TransportHandler {
  readonly events: string[] = [];
  bytes = "";
  byteCount = 0;
  error: NodeJS.ErrnoException | null = null;
  readonly #waiting: { word: string; resolve: () => void }[] = [];

  onData(bytes: Buffer): void {
    this.byteCount += bytes.length;
    if (this.bytes.length < 100) this.bytes += bytes.toString("latin1");
    this.#note("data");
  }

  onDrain(): void {
    this.#note("drain");
  }

  onEnd(): void {
    this.#note("end");
  }

  onClose(error: Error | null): void {
    this.error = error;
    this.#note("close");
  }

  async seen(word: string): Promise<void> {
    if (this.events.includes(word)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ word, resolve }));
  }

  #note(word: string): void {
    this.events.push(word);
    for (const waiting of this.#waiting) if (waiting.word === word) waiting.resolve();
  }
}

interface Pair {
  client: Transport;
  server: Transport;
  clientSaw: Recorder;
  serverSaw: Recorder;
}

const servers: net.Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function listen(onSocket: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, onSocket);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}

async function connectPair(): Promise<Pair> {
  const [clientSaw, serverSaw] = [new Recorder(), new Recorder()];
  const accepted = Promise.withResolvers<Transport>();
  const port = await listen((socket) => accepted.resolve(acceptTransport(socket, serverSaw)));
  const connected = Promise.withResolvers<Transport>();
  connectTransport({ host: "127.0.0.1", port, timeoutMs: 5000 }, clientSaw, connected.resolve);
  return { client: await connected.promise, server: await accepted.promise, clientSaw, serverSaw };
}

describe("transports over sockets", () => {
  test("bytes go both ways; each side may end while the other still writes", async () => {
    const { client, server, clientSaw, serverSaw } = await connectPair();
    assert.equal(client.remoteAddress, "127.0.0.1");
    assert.equal(server.remoteAddress, "127.0.0.1");
    assert.ok(client.isOpen && server.isOpen);
    client.cork();
    client.write("h\xe9");
    client.write(Buffer.from("llo"));
    client.uncork();
    client.end();
    assert.equal(client.isOpen, false);
    await serverSaw.seen("end");
    assert.equal(serverSaw.bytes, "h\xe9llo");
    assert.equal(server.isOpen, false);
    server.write("late answer");
    server.end();
    await Promise.all([clientSaw.seen("close"), serverSaw.seen("close")]);
    assert.equal(clientSaw.bytes, "late answer");
    assert.deepEqual(clientSaw.events.slice(-2), ["end", "close"]);
    assert.equal(clientSaw.error, null);
    assert.equal(serverSaw.error, null);
  });

  test("a peer that ends reaches an upstream transport at once", async () => {
    const { server, client, clientSaw } = await connectPair();
    server.end();
    await clientSaw.seen("end");
    assert.equal(client.isOpen, false);
    client.destroy();
    await clientSaw.seen("close");
  });

  test("after destroy nothing but one onClose comes", async () => {
    for (const side of ["client", "server"] as const) {
      const pair = await connectPair();
      const [mine, mySaw, peer] =
        side === "client"
          ? [pair.client, pair.clientSaw, pair.server]
          : [pair.server, pair.serverSaw, pair.client];
      peer.write("too late");
      mine.destroy();
      mine.destroy();
      mine.end();
      mine.pause();
      mine.resume();
      assert.equal(mine.write("x"), true);
      assert.equal(mine.isOpen, false);
      await mySaw.seen("close");
      peer.destroy();
      await new Promise(setImmediate);
      assert.deepEqual(mySaw.events, ["close"]);
      assert.equal(mySaw.error, null);
    }
  });

  test("destroy inside of onData stops at that call", async () => {
    const { client, server, clientSaw } = await connectPair();
    clientSaw.onData = () => {
      clientSaw.events.push("data");
      client.destroy();
    };
    server.write("a".repeat(300_000));
    await clientSaw.seen("close");
    assert.deepEqual(clientSaw.events, ["data", "close"]);
    server.destroy();
  });

  test("a paused reader holds the writer back, and nothing is lost", async () => {
    for (const side of ["client", "server"] as const) {
      const pair = await connectPair();
      const [reader, readerSaw] =
        side === "client" ? [pair.client, pair.clientSaw] : [pair.server, pair.serverSaw];
      const [writer, writerSaw] =
        side === "client" ? [pair.server, pair.serverSaw] : [pair.client, pair.clientSaw];
      reader.pause();
      const piece = Buffer.alloc(1024 * 1024, 0x61);
      let pieces = 0;
      // The kernel takes some megabytes before the high-water mark is reached.
      for (; pieces < 64 && writer.bufferedBytes === 0; pieces++) {
        writer.write(piece);
        await new Promise(setImmediate);
      }
      assert.ok(writer.bufferedBytes > 0, "the kernel took 64 MiB");
      assert.equal(writer.write(piece), false);
      assert.ok(!writerSaw.events.includes("drain"));
      reader.resume();
      await writerSaw.seen("drain");
      writer.end();
      await readerSaw.seen("end");
      assert.equal(readerSaw.byteCount, (pieces + 1) * piece.length);
      reader.destroy();
      writer.destroy();
    }
  });

  test("what waits for a slow reader stays what it was, in its order, texts and bytes alike", async () => {
    const { client, server, clientSaw } = await connectPair();
    client.pause();
    const expected = createHash("sha256");
    const pieceOf = (number: number): Buffer => Buffer.from(`${number};`.repeat(20_000), "latin1");
    let waiting = 0;
    for (let i = 0; waiting < 20; i++) {
      const piece = pieceOf(i);
      const tail = i % 3 === 0 ? `tail ${i};` : "";
      expected.update(piece).update(tail);
      if (i % 3 === 0) server.cork();
      // A copy that nobody but the transport knows: what it lets go of is overwritten by the next ones.
      server.write(i % 3 === 1 ? piece.toString("latin1") : Buffer.from(piece));
      if (i % 3 === 0) {
        server.write(tail);
        server.uncork();
      }
      if (server.bufferedBytes > 0) waiting++;
      await new Promise(setImmediate);
    }
    server.end();
    const received = createHash("sha256");
    client.handler = {
      onData: (bytes) => void received.update(bytes),
      onDrain: () => {},
      onEnd: () => clientSaw.onEnd(),
      onClose: () => {},
    };
    client.resume();
    await clientSaw.seen("end");
    assert.equal(received.digest("hex"), expected.digest("hex"));
    client.destroy();
    server.destroy();
  });

  test("the handler of a pooled connection may change", async () => {
    const { client, server, clientSaw } = await connectPair();
    const next = new Recorder();
    client.handler = next;
    server.write("for the next");
    await next.seen("data");
    client.destroy();
    await next.seen("close");
    assert.deepEqual(clientSaw.events, []);
    server.destroy();
  });

  test("many upstream sockets share one read buffer without mixing their bytes", async () => {
    const pairs = await Promise.all(Array.from({ length: 20 }, connectPair));
    for (const [i, pair] of pairs.entries()) pair.server.write(`message ${i}`);
    for (const [i, pair] of pairs.entries()) {
      await pair.clientSaw.seen("data");
      assert.equal(pair.clientSaw.bytes, `message ${i}`);
      pair.client.destroy();
      pair.server.destroy();
    }
  });

  test("a reset is told once, as an error", async () => {
    const saw = new Recorder();
    const port = await listen((socket) => socket.resetAndDestroy());
    connectTransport({ host: "127.0.0.1", port }, saw, () => undefined);
    await saw.seen("close");
    assert.equal(saw.error?.code, "ECONNRESET");
    assert.equal(saw.events.filter((word) => word === "close").length, 1);
  });
});

describe("connecting", () => {
  test("a refused connection ends in onClose with its code", async () => {
    const saw = new Recorder();
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const port = (server.address() as net.AddressInfo).port;
    server.close();
    await once(server, "close");
    connectTransport({ host: "127.0.0.1", port }, saw, () => assert.fail("connected"));
    await saw.seen("close");
    assert.equal(saw.error?.code, "ECONNREFUSED");
    assert.deepEqual(saw.events, ["close"]);
  });

  test("what was destroyed before it connected never connects", async () => {
    const saw = new Recorder();
    const port = await listen((socket) => socket.on("error", () => undefined).destroy());
    const transport = connectTransport({ host: "127.0.0.1", port }, saw, () => assert.fail("connected"));
    assert.equal(transport.isOpen, false);
    transport.destroy();
    await saw.seen("close");
    assert.equal(saw.error, null);
    assert.deepEqual(saw.events, ["close"]);
  });
});
