// A small WebSocket server: sends every message back with its name in front. Its frames are written by hand,
// so that the example needs no package; in a program of your own take one, such as `ws`.
import { createHash } from "node:crypto";
import http from "node:http";
import type { Duplex } from "node:stream";

/** Starts one on a port of this machine. */
export function startEchoServer(name: string, port: number): Promise<http.Server> {
  const server = http.createServer((_request, response) => response.end("ok\n"));
  server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
        `sec-websocket-accept: ${accept}\r\n\r\n`,
    );
    serve(name, socket);
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

function serve(name: string, socket: Duplex): void {
  const pings = setInterval(() => socket.write(frame(PING, Buffer.alloc(0))), PING_EVERY_MS);
  let bytes = Buffer.alloc(0);
  socket.on("data", (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    for (let next = readFrame(bytes); next !== null; next = readFrame(bytes)) {
      bytes = bytes.subarray(next.length);
      if (next.opcode === TEXT) socket.write(frame(TEXT, Buffer.from(`${name}: ${next.payload.toString()}`)));
      if (next.opcode === PING) socket.write(frame(PONG, next.payload));
      if (next.opcode === CLOSE) socket.end(frame(CLOSE, next.payload));
    }
  });
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("close", () => clearInterval(pings));
}

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const PING_EVERY_MS = 30_000;

/** Short messages only: up to 125 bytes. */
function frame(opcode: number, payload: Buffer): Buffer {
  const short = payload.subarray(0, 125);
  return Buffer.concat([Buffer.of(0x80 | opcode, short.length), short]);
}

/** The first frame of a client (masked, up to 125 bytes), or null while it is not all there. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | null {
  const length = 6 + (bytes.length < 2 ? 0 : bytes[1]! & 0x7f);
  if (bytes.length < length) return null;
  const mask = bytes.subarray(2, 6);
  const payload = Buffer.from(bytes.subarray(6, length).map((byte, i) => byte ^ mask[i % 4]!));
  return { opcode: bytes[0]! & 0x0f, payload, length };
}
