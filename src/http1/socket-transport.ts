// Hot path: per read one Buffer view, per write one call of the socket; no closure, timer or promise.
import net from "node:net";
import { TLSSocket } from "node:tls";
import { type Address, addressText } from "./address.ts";
import { beginRead, endRead } from "./read-clock.ts";
import { READ_SIZE } from "./read-size.ts";
import { readInto } from "./socket-handle.ts";
import { handleWriter, type SocketWriter, StreamWriter } from "./socket-writer.ts";
import { type TlsClient, tlsFailure } from "./tls-client.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/** Where to connect, and how long that may take. */
export interface ConnectOptions extends Address {
  /** The bytes go through TLS; absent or null: plain. */
  readonly tls?: TlsClient | null;
  /**
   * For connect and handshake together. Beyond it `onClose` comes with the code ETIMEDOUT, or ETLS_TIMEOUT
   * in the handshake; absent: the kernel's own limit.
   */
  readonly timeoutMs?: number;
  /** Latin1 text that goes out before anything else, TLS included: a PROXY header. Absent or "": none. */
  readonly preface?: string;
}

/** The transport of an accepted socket, also of TLS. Its server should set `allowHalfOpen` and `noDelay`. */
export function acceptTransport(socket: net.Socket, handler: TransportHandler): Transport {
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  const transport = new SocketTransport(handler, socket);
  if (!readInto(socket, READ_SIZE.buffers(), (length) => transport.takeBytes(sharedBytes(length)))) {
    socket.on("data", (bytes: Buffer) => transport.takeBytes(bytes));
  }
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
  const onread = {
    buffer: READ_SIZE.buffers(),
    callback: (length: number): boolean => transport.takeBytes(sharedBytes(length)),
  };
  const socket = open(options, onread);
  const transport = new SocketTransport(handler, socket);
  // Of a socket within TLS that was opened before there is no shared buffer to read into.
  if (!isReadShared(options)) socket.on("data", (bytes: Buffer) => transport.takeBytes(bytes));
  transport.awaitConnect(options, onConnect);
  return transport;
}

/** Begins to connect; `onread` is for the sockets that can read into a buffer of ours. */
function open(options: ConnectOptions, onread: net.OnReadOpts): net.Socket {
  const { host, port, socketPath = null, tls = null, preface = "" } = options;
  const place = socketPath === null ? { host, port } : { path: socketPath };
  if (tls !== null && preface === "") return tls.connect(options, onread);
  const common = { ...place, noDelay: true, allowHalfOpen: true };
  if (tls === null) {
    const socket = net.connect({ ...common, onread });
    if (preface !== "") socket.write(preface, "latin1");
    return socket;
  }
  // One address only: TLS stands on the handle that the socket has from the start.
  const below = net.connect({ ...common, autoSelectFamily: false });
  below.write(preface, "latin1");
  return tls.wrap(below);
}

/** {@link open} could make use of `onread`. */
function isReadShared({ tls = null, preface = "" }: ConnectOptions): boolean {
  return tls === null || preface === "";
}

class SocketTransport implements Transport {
  handler: TransportHandler;
  readonly #socket: net.Socket;
  readonly #isTls: boolean;
  /** Made anew when a socket is connected. */
  #writer: SocketWriter;
  #remoteAddress: string;
  #error: Error | null = null;
  #hasEnded = false;
  #isDestroyed = false;
  #isPaused = false;
  /** No more may be written: our FIN is on its way. */
  #isEnding = false;
  /** A write has failed, and what had come before is read on. */
  #isBroken = false;
  /** The TCP connection stands, the handshake of TLS does not. */
  #isInHandshake = false;

  constructor(handler: TransportHandler, socket: net.Socket) {
    this.handler = handler;
    this.#socket = socket;
    this.#isTls = socket instanceof TLSSocket;
    this.#remoteAddress = socket.remoteAddress ?? "";
    this.#writer = this.#handleWriter() ?? new StreamWriter(socket, this.#onDrain);
    socket.on("end", () => {
      this.#hasEnded = true;
      // The failed write was told of the reset: the read that comes after it sees an end like any other.
      if (this.#isBroken && !isAfterFin(this.#error!)) return void socket.destroy();
      // In the handshake the close follows, with its reason.
      if (!this.#isDestroyed && !this.#isInHandshake) this.handler.onEnd();
    });
    socket.on("error", (error: Error) => {
      // The close event follows; an error after our own destroy is of no interest.
      if (!this.#isDestroyed) this.#error ??= error;
    });
    socket.on("close", () => {
      const isFailed = this.#isInHandshake && !this.#isDestroyed;
      this.#isDestroyed = true;
      this.handler.onClose(isFailed ? tlsFailure(this.#error) : this.#error);
    });
  }

  get remoteAddress(): string {
    return this.#remoteAddress;
  }

  get isOpen(): boolean {
    if (this.#isDestroyed || this.#hasEnded || this.#isBroken) return false;
    return !this.#socket.connecting && this.#socket.writable;
  }

  get bufferedBytes(): number {
    return this.#writer.bufferedBytes;
  }

  write(data: string | Uint8Array): boolean {
    return this.#isDestroyed || this.#isEnding || this.#isBroken ? true : this.#writer.write(data);
  }

  cork(): void {
    this.#writer.cork();
  }

  uncork(): void {
    if (!this.#isDestroyed && !this.#isBroken) this.#writer.uncork();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isDestroyed) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  end(): void {
    if (this.#isDestroyed) return;
    this.#isEnding = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#socket.destroy();
  }

  reset(): void {
    this.#isDestroyed = true;
    // Its FIN is on the way: a reset would fail, and Node would never close the socket nor say so.
    if (this.#isEnding && !this.#socket.writableFinished) return void this.#socket.destroy();
    try {
      this.#socket.resetAndDestroy();
    } catch {
      // Only TCP has resets.
      this.#socket.destroy();
    }
  }

  /** Bytes from the socket; false once nobody wants more of them. */
  takeBytes(bytes: Buffer): boolean {
    if (this.#isDestroyed) return false;
    beginRead();
    try {
      this.handler.onData(bytes);
    } finally {
      endRead();
    }
    return !this.#isDestroyed;
  }

  readonly #onDrain = (): void => {
    if (!this.#isDestroyed) this.handler.onDrain();
  };

  /**
   * The kernel keeps what came before a reset, also when a write is told of that first: the bytes written
   * come from another socket, whose turn may be before that of an early answer.
   */
  readonly #onWriteFailed = (error: Error): void => {
    this.#error ??= error;
    if (this.#isBroken) return;
    if (this.#hasEnded || this.handler.onWriteFailed?.() !== true) return void this.#socket.destroy(error);
    this.#isBroken = true;
    // Whoever waits for room would wait for ever.
    setImmediate(this.#onDrain);
  };

  #handleWriter(): SocketWriter | null {
    return handleWriter(this.#socket, this.#onDrain, this.#onWriteFailed);
  }

  awaitConnect(options: ConnectOptions, onConnect: (transport: Transport) => void): void {
    const socket = this.#socket;
    const { timeoutMs } = options;
    const beganMs = timeoutMs === undefined ? 0 : performance.now();
    const onTimeout = (): void => {
      socket.destroy(timeoutError(options));
    };
    const onReady = (): void => {
      this.#isInHandshake = false;
      socket.setTimeout(0, onTimeout);
      if (this.#isDestroyed) return;
      this.#remoteAddress = socket.remoteAddress ?? "";
      this.#writer = this.#handleWriter() ?? this.#writer;
      onConnect(this);
    };
    if (timeoutMs !== undefined) socket.setTimeout(timeoutMs, onTimeout);
    if (!this.#isTls) {
      socket.once("connect", onReady);
      return;
    }
    socket.once("secureConnect", onReady);
    socket.once("connect", () => {
      this.#isInHandshake = true;
      // The handshake has what the connect has left.
      if (timeoutMs === undefined) return;
      socket.setTimeout(Math.max(1, timeoutMs - (performance.now() - beganMs)));
    });
  }
}

/** What the kernel says to a write where the peer's FIN came before its reset: the end was a clean one. */
function isAfterFin(error: NodeJS.ErrnoException): boolean {
  return error.code === "EPIPE";
}

function timeoutError(options: ConnectOptions): Error {
  const error = new Error(`connect to ${addressText(options)}: no answer within ${options.timeoutMs} ms`);
  return Object.assign(error, { code: "ETIMEDOUT" });
}

/** First bytes of what was read, by their number: most reads are short, and of few lengths. */
const SHORT_READS: Buffer[] = [];
const SHORT_BYTES_MAX = 2_048;

function sharedBytes(length: number): Buffer {
  if (length > SHORT_BYTES_MAX) return READ_SIZE.whole.subarray(0, length);
  return (SHORT_READS[length] ??= READ_SIZE.whole.subarray(0, length));
}
