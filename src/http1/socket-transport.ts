// Hot path: per read one Buffer view, per write one call of the socket; no closure, timer or promise.
import net from "node:net";
import type { Transport, TransportHandler } from "./transport.ts";

/** Where to connect, and how long that may take. */
export interface ConnectOptions {
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
  /** Beyond it `onClose` comes with the code ETIMEDOUT; absent: the kernel's own limit. */
  readonly timeoutMs?: number;
  /** Latin1 text that goes out before anything else, TLS included: a PROXY header. Absent or "": none. */
  readonly preface?: string;
}

/** The transport of an accepted socket. Its server should set `allowHalfOpen` and `noDelay`. */
export function acceptTransport(socket: net.Socket, handler: TransportHandler): Transport {
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  const transport = new SocketTransport(handler, socket);
  socket.on("data", (bytes: Buffer) => transport.takeBytes(bytes));
  return transport;
}

/**
 * Begins to connect; `onConnect` is called with the transport when that has worked, else the handler's
 * `onClose` with the error. What is written before is sent once connected.
 */
export function connectTransport(
  options: ConnectOptions,
  handler: TransportHandler,
  onConnect: (transport: Transport) => void,
): Transport {
  const socket = net.connect({
    host: options.host,
    port: options.port,
    noDelay: true,
    allowHalfOpen: true,
    onread: {
      buffer: SHARED_BUFFER,
      callback: (length) => transport.takeBytes(SHARED_BUFFER.subarray(0, length)),
    },
  });
  if (options.preface !== undefined && options.preface !== "") socket.write(options.preface, "latin1");
  const transport = new SocketTransport(handler, socket);
  transport.awaitConnect(options, onConnect);
  return transport;
}

class SocketTransport implements Transport {
  handler: TransportHandler;
  readonly #socket: net.Socket;
  #remoteAddress: string;
  #error: Error | null = null;
  #hasEnded = false;
  #isDestroyed = false;

  constructor(handler: TransportHandler, socket: net.Socket) {
    this.handler = handler;
    this.#socket = socket;
    this.#remoteAddress = socket.remoteAddress ?? "";
    socket.on("drain", () => {
      if (!this.#isDestroyed) this.handler.onDrain();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      if (!this.#isDestroyed) this.handler.onEnd();
    });
    socket.on("error", (error: Error) => {
      // The close event follows; an error after our own destroy is of no interest.
      if (!this.#isDestroyed) this.#error ??= error;
    });
    socket.on("close", () => {
      this.#isDestroyed = true;
      this.handler.onClose(this.#error);
    });
  }

  get remoteAddress(): string {
    return this.#remoteAddress;
  }

  get isOpen(): boolean {
    return !this.#isDestroyed && !this.#hasEnded && !this.#socket.connecting && this.#socket.writable;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(data: string | Uint8Array): boolean {
    if (this.#isDestroyed || !this.#socket.writable) return true;
    return typeof data === "string" ? this.#socket.write(data, "latin1") : this.#socket.write(data);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isDestroyed) this.#socket.resume();
  }

  end(): void {
    if (!this.#isDestroyed) this.#socket.end();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#socket.destroy();
  }

  reset(): void {
    this.#isDestroyed = true;
    try {
      this.#socket.resetAndDestroy();
    } catch {
      // No TCP below: there is no such thing as a reset.
      this.#socket.destroy();
    }
  }

  /** Bytes from the socket; false once nobody wants more of them. */
  takeBytes(bytes: Buffer): boolean {
    if (this.#isDestroyed) return false;
    this.handler.onData(bytes);
    return !this.#isDestroyed;
  }

  awaitConnect(options: ConnectOptions, onConnect: (transport: Transport) => void): void {
    const socket = this.#socket;
    const onTimeout = (): void => {
      socket.destroy(timeoutError(options));
    };
    if (options.timeoutMs !== undefined) socket.setTimeout(options.timeoutMs, onTimeout);
    socket.once("connect", () => {
      socket.setTimeout(0, onTimeout);
      if (this.#isDestroyed) return;
      this.#remoteAddress = socket.remoteAddress ?? "";
      onConnect(this);
    });
  }
}

function timeoutError(options: ConnectOptions): Error {
  const where = `${options.host}:${options.port}`;
  const error = new Error(`connect to ${where}: no answer within ${options.timeoutMs} ms`);
  return Object.assign(error, { code: "ETIMEDOUT" });
}

/** All upstream sockets read into this one: a read is handled before the next one can happen. */
const SHARED_BUFFER: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
