// A write to a peer that has reset the connection fails; what the peer said before may be there to read.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connectTransport } from "../../../src/http1/socket-transport.ts";
import type { Transport, TransportHandler } from "../../../src/http1/transport.ts";
import { until, within } from "../../fixtures/until.ts";

class Recorder implements TransportHandler {
  readonly #readsOn: boolean;
  readonly events: string[] = [];
  bytes = "";

  constructor(readsOn: boolean) {
    this.#readsOn = readsOn;
  }

  onData(bytes: Buffer): void {
    this.bytes += bytes.toString("latin1");
  }

  onDrain(): void {
    this.events.push("drain");
  }

  onEnd(): void {
    this.events.push("end");
  }

  onWriteFailed(): boolean {
    this.events.push("failed");
    return this.#readsOn;
  }

  onClose(error: NodeJS.ErrnoException | null): void {
    this.events.push(error === null ? "close" : `close ${error.code}`);
  }
}

/** A transport that reads nothing yet, to a peer that has said "answer" and is gone with `leave`. */
async function meet(saw: Recorder, leave: (socket: net.Socket) => void): Promise<Transport> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.pause().write("answer", () => leave(socket)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const connected = Promise.withResolvers<Transport>();
  connectTransport({ host: "127.0.0.1", port }, saw, connected.resolve);
  const transport = await within(connected.promise, "the connection");
  transport.pause();
  transport.write("a body begins");
  server.close();
  await within(once(server, "close"), "the peer to go");
  return transport;
}

async function writeUntilItFails(transport: Transport, saw: Recorder): Promise<void> {
  for (let i = 0; i < 100 && !saw.events.includes("failed"); i++) {
    transport.write("more of the body");
    await sleep(5);
  }
}

const hasClosed = (saw: Recorder): boolean => saw.events.some((event) => event.startsWith("close"));

describe("a write that fails", () => {
  it("after a reset: what came before is read, and the end is no clean one", async () => {
    const saw = new Recorder(true);
    const transport = await meet(saw, (socket) => socket.resetAndDestroy());
    await writeUntilItFails(transport, saw);
    assert.equal(transport.isOpen, false);
    transport.resume();
    await until(() => hasClosed(saw), "the close");
    assert.equal(saw.bytes, "answer");
    assert.deepEqual(saw.events, ["failed", "drain", "close ECONNRESET"]);
  });

  it("after a FIN: what came before is read, and it was all", async () => {
    const saw = new Recorder(true);
    const transport = await meet(saw, (socket) => socket.destroy());
    await writeUntilItFails(transport, saw);
    transport.resume();
    await until(() => saw.events.includes("end"), "the end");
    assert.equal(saw.bytes, "answer");
    assert.deepEqual(saw.events, ["failed", "drain", "end"]);
    transport.destroy();
    await until(() => hasClosed(saw), "the close");
  });

  it("closes at once where nobody reads on", async () => {
    const saw = new Recorder(false);
    const transport = await meet(saw, (socket) => socket.resetAndDestroy());
    await writeUntilItFails(transport, saw);
    await until(() => hasClosed(saw), "the close");
    assert.deepEqual(saw.events, ["failed", "close ECONNRESET"]);
    assert.equal(saw.bytes, "");
  });
});
