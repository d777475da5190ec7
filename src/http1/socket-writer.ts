// Hot path: a write is one call of the handle; nothing is made where the kernel takes all of it at once.
import type net from "node:net";
import { getSystemErrorName } from "node:util";
import { READ_SIZE } from "./read-size.ts";
import {
  handleOf,
  type StreamHandle,
  type WriteRequest,
  type WriteRequestMaker,
  writeRequestMaker,
} from "./socket-handle.ts";

/** The writing half of a socket that is connected. Strings are latin1. */
export interface SocketWriter {
  /** False: the peer does not keep up; `onDrain` comes when all has left. */
  write(data: string | Uint8Array): boolean;
  /** Holds what is written until `uncork`. */
  cork(): void;
  uncork(): void;
  readonly bufferedBytes: number;
}

/**
 * Past the stream around the socket, if it is plain, connected and has nothing to write; else null.
 * `onFailed` decides what becomes of the socket: it may hold something to read still.
 */
export function handleWriter(
  socket: net.Socket,
  onDrain: () => void,
  onFailed: (error: Error) => void,
): SocketWriter | null {
  const handle = handleOf(socket);
  if (handle === null) return null;
  maker ??= writeRequestMaker(socket, handle) ?? undefined;
  return maker === undefined ? null : new HandleWriter(socket, handle, maker, onDrain, onFailed);
}

/**
 * By the documented face. `onDrain` is called when all has left for the kernel, after a `write` that returned
 * false.
 */
export class StreamWriter implements SocketWriter {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket, onDrain: () => void) {
    this.#socket = socket;
    socket.on("drain", onDrain);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(data: string | Uint8Array): boolean {
    if (!this.#socket.writable) return true;
    return typeof data === "string" ? this.#socket.write(data, "latin1") : this.#socket.write(data);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }
}

class HandleWriter implements SocketWriter {
  readonly #socket: net.Socket;
  readonly #handle: StreamHandle;
  readonly #maker: WriteRequestMaker;
  readonly #onDrain: () => void;
  readonly #onFailed: (error: Error) => void;
  /** What is held: each piece with its encoding. */
  #corked: unknown[] | null = null;
  #isAwaited = false;
  /** Bytes that wait, as far as {@link READ_SIZE} knows of them. */
  #heldBytes = 0;

  constructor(
    socket: net.Socket,
    handle: StreamHandle,
    requestMaker: WriteRequestMaker,
    onDrain: () => void,
    onFailed: (error: Error) => void,
  ) {
    this.#socket = socket;
    this.#handle = handle;
    this.#maker = requestMaker;
    this.#onDrain = onDrain;
    this.#onFailed = onFailed;
  }

  get bufferedBytes(): number {
    // Undefined where the handle is closed.
    return this.#handle.writeQueueSize || 0;
  }

  write(data: string | Uint8Array): boolean {
    const isText = typeof data === "string";
    if (this.#corked !== null) {
      this.#corked.push(data, isText ? "latin1" : "buffer");
      return !this.#isAwaited;
    }
    const request = (spare ??= new this.#maker());
    const handle = this.#handle;
    const status = isText ? handle.writeLatin1String(request, data) : handle.writeBuffer(request, data);
    return this.#written(status, data);
  }

  cork(): void {
    this.#corked ??= [];
  }

  uncork(): void {
    const corked = this.#corked;
    this.#corked = null;
    if (corked === null || corked.length === 0) return;
    this.#written(this.#handle.writev((spare ??= new this.#maker()), corked, false), corked);
  }

  #written(status: number, data: unknown): boolean {
    if (status < 0) {
      spare = null;
      this.#fail(status);
    } else if (spare!.getAsyncId() >= 0) return this.#wait(data);
    return !this.#isAwaited;
  }

  /**
   * The kernel takes no more for now: the request that was handed over tells when all has left. More would
   * pile up here, for thousands of peers that do not read, while the kernel has enough to send.
   */
  #wait(data: unknown): boolean {
    const request = spare!;
    spare = null;
    // What is left of a text is copied.
    request.held = typeof data === "string" ? null : data;
    request.oncomplete = (status) => this.#completed(status);
    this.#hold(this.#handle.writeQueueSize);
    this.#isAwaited = true;
    return false;
  }

  #hold(bytes: number): void {
    READ_SIZE.heldBytes += bytes - this.#heldBytes;
    this.#heldBytes = bytes;
  }

  #completed(status: number): void {
    this.#hold(status < 0 ? 0 : this.bufferedBytes);
    if (status < 0) return this.#fail(status);
    if (!this.#isAwaited || this.bufferedBytes > 0) return;
    this.#isAwaited = false;
    this.#onDrain();
  }

  #fail(status: number): void {
    if (this.#socket.destroyed) return;
    const code = getSystemErrorName(status);
    this.#onFailed(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" }));
  }
}

/** Used again until it is needed for a write that takes its time. */
let spare: WriteRequest | null = null;
let maker: WriteRequestMaker | undefined;
