// Hot path: what one read of the upstream brings goes to the client in one write, usually as one string.
import type { ServerConnection } from "../http1/server.ts";
import { CopyRoom } from "./copy-room.ts";
import { latin1 } from "../http1/latin1.ts";
import { chunkHead, LAST_CHUNK } from "../http1/writer.ts";

/**
 * How the body goes to the client: as it is, in chunks, as it is until the connection closes, or not at all.
 */
export type RelayMode = "plain" | "chunked" | "close" | "none";

/** Carries a response to the client, never holding more than one read of it. */
export class Relay {
  readonly #connection: ServerConnection;
  #mode: RelayMode = "none";
  #pending = "";
  #isRoomLeft = true;
  /** Something of the response has gone to the client, or is about to. */
  isBegun = false;
  /** Bytes of content so far. */
  bytes = 0;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  reset(): void {
    this.#pending = "";
    this.#isRoomLeft = true;
    this.isBegun = false;
    this.bytes = 0;
  }

  /** `head` with its empty line. */
  begin(head: string, mode: RelayMode): void {
    this.#pending += head;
    this.#mode = mode;
    this.isBegun = true;
  }

  payload(bytes: Buffer, start: number, end: number): void {
    if (this.#mode === "none") return;
    const length = end - start;
    this.bytes += length;
    const isChunked = this.#mode === "chunked";
    if (length <= STRING_BYTES_MAX) {
      const text = latin1(bytes, start, end);
      this.#pending += isChunked ? `${chunkHead(length)}${text}\r\n` : text;
      if (this.#pending.length > STRING_BYTES_MAX) this.flush();
      return;
    }
    if (isChunked) this.#pending += chunkHead(length);
    this.#writeBytes(bytes, start, end, isChunked ? "\r\n" : "");
  }

  /** The end of one read; false when the client does not keep up and the upstream must pause. */
  flush(): boolean {
    if (this.#pending !== "") {
      const text = this.#pending;
      this.#pending = "";
      this.#isRoomLeft = this.#connection.write(text);
    }
    return this.#isRoomLeft;
  }

  /** The client keeps up. */
  get isRoomLeft(): boolean {
    return this.#isRoomLeft;
  }

  /** The client has taken all that was written. */
  drained(): void {
    this.#isRoomLeft = true;
  }

  /** The response is complete. `trailers` are lines with their CRLF. */
  end(trailers: string): void {
    if (this.#mode === "chunked") this.#pending += trailers === "" ? LAST_CHUNK : `0\r\n${trailers}\r\n`;
    this.flush();
  }

  /** No more will come: an unclean end. Where the close is the end of the body, only a reset says so. */
  breakOff(): void {
    if (this.#mode === "close") this.#connection.transport.reset();
    else this.#connection.abort();
  }

  /** The upstream's buffer is reused by the next read: what has to wait must be in memory of its own. */
  #writeBytes(bytes: Buffer, start: number, end: number, after: string): void {
    const before = this.#pending;
    this.#pending = "";
    const at = before.length;
    const length = at + end - start + after.length;
    const copy = COPIES.take(length);
    copy.write(before, 0, "latin1");
    bytes.copy(copy, at, start, end);
    if (after !== "") copy.write(after, length - after.length, "latin1");
    this.#isRoomLeft = this.#connection.write(copy.subarray(0, length));
    if (this.#connection.transport.bufferedBytes > 0) COPIES.giveAway();
  }
}

/** One write at a time is made in a thread. */
const COPIES = new CopyRoom();
/** Up to here bytes are cheaper as a string that joins others in one write. */
const STRING_BYTES_MAX = 16 * 1024;
