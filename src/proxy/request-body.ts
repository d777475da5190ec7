// Hot path: content is copied once (the socket's buffer is reused), small bodies travel with the head in one
// write.
import type { Framing } from "../http1/head.ts";
import { latin1 } from "../http1/latin1.ts";
import { chunkHead, LAST_CHUNK } from "../http1/writer.ts";
import type { UpstreamConnection } from "./upstream.ts";

/** The body of a request on its way to a backend; kept, up to a limit, so that it can be sent again. */
export class RequestBody {
  #isChunked = false;
  /** What ends the body where it is chunked: the zero chunk and its trailers. */
  #lastChunk: string = LAST_CHUNK;
  #keepBytesMax = 0;
  #kept: Buffer[] = [];
  /** Of what is here. */
  keptBytes = 0;
  /** All that has come so far is still here. */
  isKept = true;
  isDone = true;
  /** Bytes that have come so far. */
  bytes = 0;

  /** A new request: its framing, and how many bytes of its body are kept for another attempt. */
  start(framing: Framing, keepBytesMax: number): void {
    this.#isChunked = framing === "chunked";
    this.#lastChunk = LAST_CHUNK;
    this.#keepBytesMax = keepBytesMax;
    if (this.#kept.length > 0) this.#kept = [];
    this.keptBytes = 0;
    this.isKept = true;
    this.isDone = framing === "none";
    this.bytes = 0;
  }

  /** Becomes the same as a body that is complete and kept; the bytes are shared. */
  copy(of: RequestBody): void {
    this.#isChunked = of.#isChunked;
    this.#lastChunk = of.#lastChunk;
    this.#kept = of.#kept.slice();
    this.keptBytes = of.keptBytes;
    this.#keepBytesMax = of.keptBytes;
    this.isKept = true;
    this.isDone = true;
    this.bytes = of.bytes;
  }

  /** Another limit for what is kept: only now it is known where it goes, or that no more has to be read. */
  keepUpTo(bytes: number): void {
    this.#keepBytesMax = bytes;
  }

  /** Puts `text` in the place of `[start, end)` of a body that is complete and kept. */
  replace(start: number, end: number, text: Buffer): void {
    const kept: Buffer[] = [];
    // An empty chunk would end the body.
    const keep = (part: Buffer): void => {
      if (part.length > 0) kept.push(part);
    };
    let at = 0;
    for (const chunk of this.#kept) {
      keep(chunk.subarray(0, Math.max(0, start - at)));
      if (start >= at && start < at + chunk.length) keep(text);
      keep(chunk.subarray(Math.max(0, end - at)));
      at += chunk.length;
    }
    this.#kept = kept;
    this.keptBytes = at + text.length - (end - start);
    this.#keepBytesMax = Math.max(this.#keepBytesMax, this.keptBytes);
  }

  get chunks(): readonly Buffer[] {
    return this.#kept;
  }

  /** Content from the client; false when its sender should pause: there is nowhere to put more of it. */
  take(bytes: Buffer, start: number, end: number, upstream: UpstreamConnection | null): boolean {
    const chunk = Buffer.from(bytes.subarray(start, end));
    this.bytes += chunk.length;
    const mayKeep = this.isKept && this.keptBytes + chunk.length <= this.#keepBytesMax;
    if (mayKeep || upstream === null) {
      this.#kept.push(chunk);
      this.keptBytes += chunk.length;
    } else this.#forget();
    if (upstream === null) return this.keptBytes < Math.max(this.#keepBytesMax, WAITING_BYTES_MAX);
    return this.#write(chunk, upstream);
  }

  /** The client has sent all of it. `trailers` are lines with their CRLF. */
  end(trailers: string, upstream: UpstreamConnection | null): void {
    this.isDone = true;
    if (trailers !== "") this.#lastChunk = `0\r\n${trailers}\r\n`;
    if (upstream === null) return;
    if (this.#isChunked) upstream.transport!.write(this.#lastChunk);
    upstream.isRequestSent = true;
  }

  /** Sends the head and what is here of the body; false when the sender should pause. */
  send(head: string, upstream: UpstreamConnection): boolean {
    const transport = upstream.transport!;
    upstream.isRequestSent = this.isDone;
    if (this.#kept.length === 0) {
      return transport.write(this.isDone && this.#isChunked ? head + this.#lastChunk : head);
    }
    let isRoomLeft = true;
    if (this.keptBytes <= JOINED_BYTES_MAX) isRoomLeft = transport.write(this.#joined(head));
    else {
      transport.cork();
      transport.write(head);
      for (const chunk of this.#kept) isRoomLeft = this.#write(chunk, upstream);
      if (this.isDone && this.#isChunked) transport.write(this.#lastChunk);
      transport.uncork();
    }
    if (this.keptBytes > this.#keepBytesMax) this.#forget();
    return isRoomLeft;
  }

  /** Nothing of it will be needed again. */
  release(): void {
    if (this.#kept.length > 0) this.#forget();
  }

  #joined(head: string): string {
    let text = head;
    for (const chunk of this.#kept) {
      if (this.#isChunked) text += `${chunkHead(chunk.length)}${latin1(chunk, 0, chunk.length)}\r\n`;
      else text += latin1(chunk, 0, chunk.length);
    }
    return this.isDone && this.#isChunked ? text + this.#lastChunk : text;
  }

  #write(chunk: Buffer, upstream: UpstreamConnection): boolean {
    const transport = upstream.transport!;
    if (!this.#isChunked) return transport.write(chunk);
    transport.cork();
    transport.write(chunkHead(chunk.length));
    transport.write(chunk);
    const isRoomLeft = transport.write("\r\n");
    transport.uncork();
    return isRoomLeft;
  }

  #forget(): void {
    this.isKept = false;
    this.#kept = [];
    this.keptBytes = 0;
  }
}

/** Held while the request waits for a backend, even where nothing is kept for retries. */
const WAITING_BYTES_MAX = 64 * 1024;
/** Up to here head and body are one string and one write. */
const JOINED_BYTES_MAX = 16 * 1024;
