import net from "node:net";

/** What one raw client does and sees. */
export interface Visitor {
  readonly socket: net.Socket;
  bytes: number;
  text: string;
  isClosed: boolean;
}

/** A raw connection from one of several addresses of this machine: one alone has too few ports. */
export function visit(port: number, index: number): Visitor {
  const localAddress = `127.0.0.${2 + (index % SOURCES)}`;
  const socket = net.connect({ host: "127.0.0.1", port, localAddress, noDelay: true });
  const visitor: Visitor = { socket, bytes: 0, text: "", isClosed: false };
  socket.on("data", (bytes: Buffer) => {
    visitor.bytes += bytes.length;
    if (visitor.text.length < TEXT_MAX) visitor.text += bytes.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("close", () => (visitor.isClosed = true));
  return visitor;
}

const SOURCES = 8;
const TEXT_MAX = 1024;
