// Both ends of the wire for the corpora: a client that sends bytes and waits for the close, a backend that
// records what reaches it, read by the second reading (reference.ts), and answers by it.
import { once } from "node:events";
import net from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { Random } from "../../../src/core/kit/random.ts";
import { within } from "../../fixtures/until.ts";
import { type Message, readRequest, targetOf, valuesOf } from "./reference.ts";

/** A request as it reached a backend. */
export interface Delivery {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly body: string;
  readonly message: Message;
}

/** What a backend does with a whole request. */
export type Respond = (delivery: Delivery, socket: net.Socket) => void;

/** A backend that accepts nothing but what the second reading accepts. */
export class RecordingBackend {
  readonly deliveries: Delivery[] = [];
  /** Bytes of Evener that are no request, and could not become one. */
  readonly violations: string[] = [];
  port = 0;
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket> = new Set();

  constructor(respond: Respond) {
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket, respond));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as net.AddressInfo).port;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: net.Socket, respond: Respond): void {
    let text = "";
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (;;) {
        if (text === "") return;
        const reading = readRequest(text, 0);
        if (reading.kind === "refused") this.violations.push(`${reading.why}: ${JSON.stringify(text)}`);
        if (reading.kind !== "message") return;
        text = text.slice(reading.end);
        const delivery = deliveryOf(reading);
        this.deliveries.push(delivery);
        respond(delivery, socket);
      }
    });
  }
}

function deliveryOf(message: Message): Delivery {
  const { method, target } = targetOf(message.startLine);
  return { method, target, host: valuesOf(message.fields, "host")[0] ?? "", body: message.body, message };
}

/** What a client got on one connection, from its first byte to the close. */
export interface Received {
  readonly text: string;
  /** ECONNRESET and the like; "" when it ended in peace. */
  readonly error: string;
}

/** Sends `pieces`, each in a turn of its own, and waits until Evener closes. */
export async function exchange(port: number, pieces: readonly string[], name: string): Promise<Received> {
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
  const received: Buffer[] = [];
  let error = "";
  socket.on("data", (bytes) => received.push(bytes));
  socket.on("error", (each: NodeJS.ErrnoException) => (error = each.code ?? each.message));
  const closed = once(socket, "close").catch(() => {});
  for (const piece of pieces) {
    socket.write(Buffer.from(piece, "latin1"));
    if (pieces.length > 1) await turn();
  }
  const soFar = (): string => Buffer.concat(received).toString("latin1");
  try {
    await within(closed, () => `the end of ${name}; received ${JSON.stringify(soFar())}`);
  } finally {
    socket.destroy();
  }
  return { text: soFar(), error };
}

/** `text` whole, or in up to five pieces. */
export function cut(text: string, random: Random): string[] {
  if (random.below(5) < 3) return [text];
  const pieces: string[] = [];
  let from = 0;
  for (let left = random.below(4); left > 0 && from < text.length; left--) {
    const to = from + 1 + random.below(Math.min(text.length - from, 120));
    pieces.push(text.slice(from, to));
    from = to;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}
