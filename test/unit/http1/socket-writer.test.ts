import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { acceptTransport } from "../../../src/http1/socket-transport.ts";
import type { TransportHandler } from "../../../src/http1/transport.ts";
import { within } from "../../fixtures/until.ts";

test("a reader that takes bytes just while they are written", async () => {
  // In a thread of its own: there may be no room at the first try, and some at the second, in the same call.
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const reader = new Worker(READER, { eval: true, workerData: { port } });
  const [socket] = (await within(once(server, "connection"), "the reader")) as [net.Socket];
  let onDrain = (): void => {};
  const handler: TransportHandler = {
    onData: () => {},
    onDrain: () => onDrain(),
    onEnd: () => {},
    onClose: () => {},
  };
  const transport = acceptTransport(socket, handler);
  const piece = "a".repeat(16 * 1024);
  let written = 0;
  let stalls = 0;
  while (written < 400 * 2 ** 20) {
    written += piece.length;
    if (transport.write(piece)) continue;
    stalls++;
    await within(new Promise<void>((resolve) => (onDrain = resolve)), "a drain");
  }
  transport.end();
  const [read] = (await within(once(reader, "message"), "all bytes")) as [number];
  assert.equal(read, written);
  assert.ok(stalls > 0);
  transport.destroy();
  server.close();
  await reader.terminate();
});

const READER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const socket = require("node:net").connect(workerData.port, "127.0.0.1");
  let read = 0;
  socket.on("data", (bytes) => (read += bytes.length));
  socket.on("end", () => parentPort.postMessage(read));
`;
