import type { IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type ControlAnswer, errorAnswer } from "../control/answer.ts";
import type { Upgrade } from "../control/door.ts";
import type { RequestHead } from "../http1/head.ts";
import type { Transport, TransportHandler } from "../http1/transport.ts";
import type { TaskDispatcher } from "./dispatcher.ts";
import { FRAME_BYTES_MAX } from "./frames.ts";
import { SUBPROTOCOL } from "./protocol.ts";

/** How a connection of the task listener becomes an agent's WebSocket. */
export class AgentUpgrade {
  readonly #dispatcher: TaskDispatcher;
  readonly #server: WebSocketServer = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
  });

  constructor(dispatcher: TaskDispatcher) {
    this.#dispatcher = dispatcher;
  }

  upgrade(head: RequestHead): Upgrade | ControlAnswer {
    if (head.upgrade?.toLowerCase() !== "websocket") {
      return errorAnswer("EVENER_BAD_REQUEST", "agents connect by WebSocket: evener agent --server URL");
    }
    const offered = (head.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) {
      return errorAnswer("EVENER_BAD_REQUEST", `agents speak ${SUBPROTOCOL}; use an agent of this version`);
    }
    const request = requestOf(head);
    return (transport, early) => {
      const socket = new TransportSocket(transport);
      if (early !== null) socket.unshift(early);
      this.#server.handleUpgrade(request, socket, NO_BYTES, (webSocket) =>
        this.#dispatcher.connect(webSocket),
      );
    };
  }
}

/** What `ws` reads of a request. */
function requestOf(head: RequestHead): IncomingMessage {
  const headers: Record<string, string> = {};
  for (let i = 0; i < head.count; i++) headers[head.nameAt(i).toLowerCase()] = head.valueAt(i);
  return { method: head.method, url: head.target, headers } as unknown as IncomingMessage;
}

/** One of our transports as a stream of Node's. */
class TransportSocket extends Duplex implements TransportHandler {
  readonly #transport: Transport;
  #onDrained: (() => void) | null = null;

  constructor(transport: Transport) {
    super({ allowHalfOpen: false });
    this.#transport = transport;
    transport.handler = this;
  }

  override _read(): void {
    this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#transport.write(chunk)) done();
    else this.#onDrained = done;
  }

  override _final(done: () => void): void {
    this.#transport.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#transport.destroy();
    done(error);
  }

  onData(bytes: Buffer): void {
    if (!this.push(Buffer.from(bytes))) this.#transport.pause();
  }

  onDrain(): void {
    const done = this.#onDrained;
    this.#onDrained = null;
    done?.();
  }

  onEnd(): void {
    this.push(null);
  }

  onClose(): void {
    this.destroy();
  }
}

const NO_BYTES = Buffer.alloc(0);
