// Hot path: nothing is made per read or write.
import type net from "node:net";
import { TLSSocket } from "node:tls";

/**
 * What is used of a socket beside its documented face, all of it in this file: its handle's writes, and the
 * places where `net.connect({ onread })` keeps a buffer, for accepted sockets, which have no such option. Of
 * a small request a third of Node's own work is in the stream around the handle
 * (docs/internals/performance.md). Where a Node has these no more, sockets are used as they are documented.
 */
export interface StreamHandle {
  /** All of these return 0 or a negative error number, and call `request.oncomplete` later if not done. */
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  writev(request: WriteRequest, chunks: readonly unknown[], isAllBuffers: boolean): number;
  /** Bytes that have not left for the kernel. */
  readonly writeQueueSize: number;
}

/** One write that could not be done at once; those that could leave no trace in it. */
export interface WriteRequest {
  /** The handle reads on from the bytes that it was given: they must live as long as the request. */
  held: unknown;
  oncomplete: ((status: number) => void) | null;
}

/** The handle of a plain socket that is connected, or null where only the documented face can be used. */
export function handleOf(socket: net.Socket): StreamHandle | null {
  if (socket instanceof TLSSocket || socket.connecting || socket.writableLength > 0) return null;
  return (socket as unknown as { _handle: StreamHandle | null })._handle;
}

/** Makes requests for {@link StreamHandle}, or is null where it is not known how. */
export type WriteRequestMaker = new () => WriteRequest;

/**
 * The class of write requests: seen when this socket writes nothing. Null where this Node does it in another
 * way.
 */
export function writeRequestMaker(socket: net.Socket, handle: StreamHandle): WriteRequestMaker | null {
  const isAsKnown =
    typeof handle.writeLatin1String === "function" &&
    typeof handle.writeBuffer === "function" &&
    typeof handle.writev === "function" &&
    typeof handle.writeQueueSize === "number";
  if (!isAsKnown) return null;
  let maker: WriteRequestMaker | null = null;
  handle.writeLatin1String = (request, text) => {
    maker = request.constructor as WriteRequestMaker;
    // What is inherited is seen again.
    delete (handle as Partial<StreamHandle>).writeLatin1String;
    return handle.writeLatin1String(request, text);
  };
  socket.write("", "latin1");
  return maker;
}

/**
 * Lets a fresh accepted socket read into `buffer`, as `net.connect({ onread })` does; false where that can
 * not be done. `onRead` is told how many bytes there are, and returns false to read no more.
 */
export function readInto(socket: net.Socket, buffer: Buffer, onRead: (length: number) => boolean): boolean {
  const isFresh = socket.readableFlowing === null && socket.readableLength === 0;
  if (!isFresh) return false;
  const fields = socket as unknown as Record<symbol, unknown> & {
    _handle: { useUserBuffer?: (buffer: Buffer) => void } | null;
  };
  const keys = (readKeys ??= findReadKeys(socket));
  if (keys === null || typeof fields._handle?.useUserBuffer !== "function") return false;
  fields[keys.buffer] = buffer;
  fields[keys.callback] = onRead;
  fields._handle.useUserBuffer(buffer);
  return true;
}

interface ReadKeys {
  readonly buffer: symbol;
  readonly callback: symbol;
}

function findReadKeys(socket: net.Socket): ReadKeys | null {
  const symbols = Object.getOwnPropertySymbols(socket);
  const buffer = symbols.find(({ description }) => description === "kBuffer");
  const callback = symbols.find(({ description }) => description === "kBufferCb");
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
}

let readKeys: ReadKeys | null | undefined;
