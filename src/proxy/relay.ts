// Hot path: what one read of the upstream brings goes to the client in one write, usually as one string.
import type { ResponseHead } from "../http1/head.ts";
import { latin1 } from "../http1/latin1.ts";
import type { ServerConnection } from "../http1/server.ts";
import { chunkHead, LAST_CHUNK } from "../http1/writer.ts";
import { CopyRoom } from "./copy-room.ts";
import type { ModelCall } from "./describe/model-call.ts";

/**
 * How the body goes to the client: as it is, in chunks, as it is until the connection closes, or not at all.
 */
export type RelayMode = "plain" | "chunked" | "close" | "none";

/**
 * Carries a response to the client, never holding more than one read of it; only of a model's stream the head
 * may be held until its first token, so that another backend can still take over.
 */
export class Relay {
  readonly #connection: ServerConnection;
  #mode: RelayMode = "none";
  #pending = "";
  #isRoomLeft = true;
  /** Something of the response has gone to the client, or is about to. */
  isBegun = false;
  /** The head waits for the first token. */
  isHolding = false;
  /** What is held says that it failed: nobody has seen it, and it may be repeated. */
  hasFailed = false;
  /** What the answer tells of its cost goes there; null where nobody wants to know. */
  call: ModelCall | null = null;
  /** Bytes of content so far. */
  bytes = 0;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  reset(): void {
    this.#pending = "";
    this.#isRoomLeft = true;
    this.isBegun = false;
    this.isHolding = false;
    this.hasFailed = false;
    this.call = null;
    this.bytes = 0;
  }

  /** The head of an attempt's answer has come; true when its first token is still to come. */
  awaitsToken(head: ResponseHead): boolean {
    return this.call !== null && this.call.answered(head);
  }

  /** What was held is to be forgotten: another attempt follows. */
  drop(): void {
    if (!this.isHolding) return;
    this.#pending = "";
    this.bytes = 0;
    this.isHolding = false;
    this.hasFailed = false;
    this.call!.letGo();
  }

  /** What was held goes to the client; true, as it does. */
  letGo(): true {
    if (!this.isHolding) return true;
    this.isHolding = false;
    this.isBegun = true;
    if (!this.hasFailed) this.#carryHeld();
    this.hasFailed = false;
    this.call!.letGo();
    return true;
  }

  /**
   * `head` with its empty line; in place of what was held, if anything was. `mayHold`: it waits until the
   * stream brings a token.
   */
  begin(head: string, mode: RelayMode, mayHold = false): void {
    this.drop();
    this.#pending += head;
    this.#mode = mode;
    this.isHolding = mayHold;
    this.isBegun = !mayHold;
    if (mayHold) this.call!.hold();
  }

  payload(bytes: Buffer, start: number, end: number): void {
    if (this.call !== null) this.call.take(bytes, start, end);
    if (this.isHolding && this.#isHeld(bytes, start, end)) return;
    this.#carry(bytes, start, end);
  }

  #carry(bytes: Buffer, start: number, end: number): void {
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
    if (this.#pending !== "" && !this.isHolding) {
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

  /** One last event of ours behind what a backend has left unfinished; "" is none. */
  append(text: string): void {
    if (text !== "") this.#carry(Buffer.from(text, "latin1"), 0, text.length);
    this.flush();
  }

  /** The stream has ended while its head was held: it may say only now that it failed. */
  endHeld(): void {
    if (this.isHolding && !this.hasFailed && this.call!.endVerdict() === "error") {
      this.hasFailed = true;
      this.#carryHeld();
    }
  }

  /** The response is complete. `trailers` are lines with their CRLF. */
  end(trailers: string): void {
    this.letGo();
    if (this.#mode === "chunked") this.#pending += trailers === "" ? LAST_CHUNK : `0\r\n${trailers}\r\n`;
    this.flush();
  }

  /** No more will come: an unclean end. Where the close is the end of the body, only a reset says so. */
  breakOff(): void {
    if (this.#mode === "close") this.#connection.transport.reset();
    else this.#connection.abort();
  }

  /** True when the bytes are held, too; else they follow what was held before. */
  #isHeld(bytes: Buffer, start: number, end: number): boolean {
    if (this.#pending.length + end - start > STRING_BYTES_MAX) {
      this.letGo();
      return false;
    }
    if (this.hasFailed) return false;
    const verdict = this.call!.verdict(bytes, start, end);
    if (verdict === "more") return true;
    if (verdict === "event") this.letGo();
    else {
      this.hasFailed = true;
      this.#carryHeld();
    }
    return false;
  }

  #carryHeld(): void {
    const { held } = this.call!;
    if (held.length > 0) this.#carry(held, 0, held.length);
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
