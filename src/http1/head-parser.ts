// Hot path: one table load and one compare per byte, budget 4x a plain loop over the same bytes (measured:
// 2x to 3.5x on a busy machine, bench/micro/parser.ts); a head that arrives in one piece is not copied.
// Every step can stop at any byte and go on with the next piece: a head that drips in is scanned once, too.
import type { MessageHead } from "./head.ts";
import type { Http1Limits } from "./limits.ts";
import type { ParseError } from "./parse-error.ts";
import { PARSE_ERRORS, asResponseError } from "./parse-error.ts";
import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from "./tables.ts";

/** `parse` has kept the bytes and wants the next ones. */
export const NEED_MORE = -1;
/** `parse` has refused the message: see `error`. */
export const FAILED = -2;

/** Which of the two strictness levels of RFC 9112 applies, and which statuses errors carry. */
export type MessageSide = "request" | "response";

/** Base of the request, response and trailer parsers: keeps pieces, walks over field lines. */
export abstract class HeadParser<Head extends MessageHead> {
  readonly head: Head;
  /** Set once `parse` has returned {@link FAILED}; it then stays failed until `reset`. */
  error: ParseError | null = null;

  protected readonly limits: Http1Limits;
  /** Next byte to read; like all offsets here, into `head.bytes`. */
  protected at = 0;
  /** First byte that is still needed. */
  protected headStart = 0;
  /** Where the element that is being read (method, target, field name) begins. */
  protected mark = 0;
  protected state: number = IDLE;

  readonly #side: MessageSide;
  readonly #fieldBytesMax: number;
  #fieldsStart = 0;
  #nameEnd = 0;
  #valueStart = 0;
  /** Pieces of an incomplete head, joined. */
  #kept: Buffer | null = null;
  #keptBytes = 0;

  constructor(head: Head, limits: Http1Limits, side: MessageSide, fieldBytesMax: number) {
    this.head = head;
    this.limits = limits;
    this.#side = side;
    this.#fieldBytesMax = fieldBytesMax;
  }

  /**
   * Reads on at `bytes[offset]`. Returns the offset just after the head, {@link NEED_MORE} (all bytes are
   * taken, and copied) or {@link FAILED}. A response parser may rewrite "name :" to "name: " in `bytes`.
   */
  parse(bytes: Buffer, offset: number): number {
    if (this.error !== null) return FAILED;
    if (this.#keptBytes !== 0) return this.#parseKept(bytes, offset);
    const head = this.head;
    if (this.state === IDLE) {
      head.clear();
      this.state = START;
    }
    head.bytes = bytes;
    this.headStart = offset;
    this.mark = offset;
    this.at = offset;
    const next = this.#advance(bytes, bytes.length);
    if (next === NEED_MORE) this.#keep(bytes);
    return next;
  }

  /** Whether a head has begun and is not complete; complete empty lines before it are no beginning. */
  get hasBegun(): boolean {
    return this.state > START || this.#keptBytes !== 0;
  }

  /** Forgets an incomplete or refused head. */
  reset(): void {
    this.error = null;
    this.state = IDLE;
    this.#keptBytes = 0;
  }

  /** Reads the start line, calls `beginFields` and returns its result. */
  protected abstract scanStartLine(bytes: Buffer, end: number): number;

  /** Judges the complete head. */
  protected abstract finish(): ParseError | null;

  /** The kept offsets of a start line move along. */
  protected abstract rebase(shift: number): void;

  /** The field lines begin at `at`. */
  protected beginFields(bytes: Buffer, at: number, end: number): number {
    this.#fieldsStart = at;
    this.at = at;
    this.state = FIELD_START;
    return this.#scanFields(bytes, end);
  }

  /** Stops in front of `at` until more bytes come. */
  protected pause(at: number, state: number): number {
    this.at = at;
    this.state = state;
    return NEED_MORE;
  }

  protected fail(error: ParseError): number {
    this.error = this.#side === "response" ? asResponseError(error) : error;
    return FAILED;
  }

  #advance(bytes: Buffer, end: number): number {
    const next = this.state < FIELD_START ? this.scanStartLine(bytes, end) : this.#scanFields(bytes, end);
    if (next < 0) return next;
    const error = this.finish();
    if (error !== null) return this.fail(error);
    this.state = IDLE;
    return next;
  }

  #scanFields(bytes: Buffer, bytesEnd: number): number {
    // One byte beyond the limit: that one is refused for its place, whatever it is and however it comes.
    const end = Math.min(bytesEnd, this.#fieldsStart + this.#fieldBytesMax + 1);
    let at = this.at;
    let state = this.state;
    for (;;) {
      if (state === FIELD_START) {
        if (at === end) return this.#pauseFields(at, state);
        if (bytes[at] === CR) {
          this.head.finishLines(at);
          at++;
          state = HEAD_LF;
        } else {
          if (this.head.count === this.limits.headerCountMax) return this.fail(PARSE_ERRORS.manyFields);
          this.mark = at;
          state = NAME;
        }
      }
      if (state === HEAD_LF) {
        if (at === end) return this.#pauseFields(at, state);
        return bytes[at] === LF ? at + 1 : this.fail(PARSE_ERRORS.bareReturn);
      }
      if (state === NAME) {
        while (at < end && TOKEN[bytes[at]!] !== 0) at++;
        if (at === end) return this.#pauseFields(at, state);
        if (bytes[at] !== COLON) {
          if (this.#isBadName(bytes, at)) return FAILED;
          state = NAME_SPACE;
        } else if (at === this.mark) {
          return this.fail(PARSE_ERRORS.emptyName);
        } else {
          state = VALUE_SPACE;
        }
        this.#nameEnd = at++;
      }
      if (state === NAME_SPACE) {
        while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
        if (at === end) return this.#pauseFields(at, state);
        if (bytes[at] !== COLON) return this.fail(PARSE_ERRORS.badName);
        this.#moveColon(bytes, at++);
        state = VALUE_SPACE;
      }
      if (state === VALUE_SPACE) {
        while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
        if (at === end) return this.#pauseFields(at, state);
        this.#valueStart = at;
        state = VALUE;
      }
      if (state === VALUE) {
        while (at < end && FIELD_VALUE[bytes[at]!] !== 0) at++;
        if (at === end) return this.#pauseFields(at, state);
        if (bytes[at] !== CR) return this.#failAt(bytes[at]!, PARSE_ERRORS.badValue);
        at++;
      }
      if (at === end) return this.#pauseFields(at, LINE_LF);
      if (bytes[at] !== LF) return this.fail(PARSE_ERRORS.bareReturn);
      this.#addField(bytes, at - 1);
      at++;
      state = FIELD_START;
    }
  }

  #addField(bytes: Buffer, lineEnd: number): void {
    const valueStart = this.#valueStart;
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    this.head.add(this.mark, this.#nameEnd, valueStart, valueEnd);
  }

  #pauseFields(at: number, state: number): number {
    if (at - this.#fieldsStart > this.#fieldBytesMax) return this.fail(PARSE_ERRORS.longFields);
    return this.pause(at, state);
  }

  /** A byte that ends a name and is no colon: refused, but for a space after the name of a response field. */
  #isBadName(bytes: Buffer, at: number): boolean {
    const byte = bytes[at]!;
    if (byte === SP || byte === HTAB) {
      if (at === this.mark) this.fail(PARSE_ERRORS.foldedLine);
      else if (this.#side === "request") this.fail(PARSE_ERRORS.spaceBeforeColon);
      else return false;
    } else this.#failAt(byte, PARSE_ERRORS.badName);
    return true;
  }

  /** "name :" becomes "name: ", so that a line that is forwarded as a slice is clean (RFC 9112 5.1). */
  #moveColon(bytes: Buffer, colon: number): void {
    bytes[colon] = SP;
    bytes[this.#nameEnd] = COLON;
  }

  #failAt(byte: number, error: ParseError): number {
    return this.fail(byte === LF ? PARSE_ERRORS.bareLineFeed : error);
  }

  #parseKept(bytes: Buffer, offset: number): number {
    // In steps, because what follows the head (a body) needs no copy.
    for (let from = offset; from < bytes.length;) {
      const to = Math.min(from + KEEP_STEP_BYTES, bytes.length);
      const before = this.#keptBytes;
      const kept = this.#append(bytes, from, to);
      const next = this.#advance(kept, this.#keptBytes);
      if (next !== NEED_MORE) {
        this.#keptBytes = 0;
        return next === FAILED ? FAILED : from + next - before;
      }
      from = to;
    }
    return NEED_MORE;
  }

  #keep(bytes: Buffer): void {
    const shift = this.headStart;
    if (shift === bytes.length) return;
    // A buffer that one long head has grown is not held for the life of the connection.
    if (this.#kept !== null && this.#kept.length > KEPT_BYTES_IDLE_MAX) this.#kept = null;
    this.#append(bytes, shift, bytes.length);
    this.headStart = 0;
    this.at -= shift;
    this.mark -= shift;
    this.#nameEnd -= shift;
    this.#valueStart -= shift;
    this.#fieldsStart -= shift;
    this.head.rebase(shift);
    this.rebase(shift);
  }

  #append(bytes: Buffer, from: number, to: number): Buffer {
    const needed = this.#keptBytes + to - from;
    let kept = this.#kept;
    if (kept === null || kept.length < needed) {
      // The limits of the elements bound this: a longer head has been refused.
      let size = kept === null ? KEPT_BYTES_AT_FIRST : kept.length;
      while (size < needed) size *= 2;
      const grown = Buffer.allocUnsafeSlow(size);
      if (kept !== null) kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
      kept = grown;
    }
    bytes.copy(kept, this.#keptBytes, from, to);
    this.#keptBytes = needed;
    this.head.bytes = kept;
    return kept;
  }
}

/** States of a start line lie between START and FIELD_START; {@link IDLE} is before the first byte. */
export const START = 1;
const IDLE = 0;
const FIELD_START = 10;
const NAME = 11;
const NAME_SPACE = 12;
const VALUE_SPACE = 13;
const VALUE = 14;
const LINE_LF = 15;
const HEAD_LF = 16;

const KEEP_STEP_BYTES = 4096;
const KEPT_BYTES_AT_FIRST = 2048;
const KEPT_BYTES_IDLE_MAX = 16 * 1024;
