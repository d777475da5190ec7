// Hot path: payload bytes are passed on by offset, never touched or copied; budget 0.1
// microseconds per chunk (measured 0.04, bench/micro/parser.ts).
import type { Framing } from "./head.ts";
import type { MessageSide } from "./head-parser.ts";
import { FAILED, NEED_MORE } from "./head-parser.ts";
import type { Http1Limits } from "./limits.ts";
import type { ParseError } from "./parse-error.ts";
import { PARSE_ERRORS, asResponseError } from "./parse-error.ts";
import { BACKSLASH, CR, EQUALS, FIELD_VALUE, HEX_DIGIT, LF, QUOTE, SEMICOLON, TOKEN } from "./tables.ts";
import { TrailerParser } from "./trailers.ts";

/** Where a {@link BodyDecoder} puts the content of a body. */
export interface PayloadSink {
  /** Content in `bytes[start, end)`, at least one byte; valid during the call. */
  onPayload(bytes: Buffer, start: number, end: number): void;
}

/** Finds the content and the end of one body after the other; chunk extensions are checked and dropped. */
export class BodyDecoder {
  error: ParseError | null = null;
  isDone = true;
  /** Trailer lines that may be passed on, each with its CRLF. Complete when `isDone`. */
  trailers = "";

  readonly #limits: Http1Limits;
  readonly #side: MessageSide;
  #framing: Framing = "none";
  #state: number = SIZE;
  /** Bytes still to come of the body (length) or of the chunk (chunked). */
  #left = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #trailerParser: TrailerParser | null = null;
  #hopByHop: readonly string[] | null = null;

  /** `side` says whose bodies these are: errors of responses carry status 502. */
  constructor(limits: Http1Limits, side: MessageSide) {
    this.#limits = limits;
    this.#side = side;
  }

  /**
   * Begins a body; `length` matters for the framing "length" only, 0 to 2^53-1. `hopByHop` are the options of
   * the head's Connection: trailers of these names are for us only.
   */
  start(framing: Framing, length: number, hopByHop: readonly string[] | null = null): void {
    this.#hopByHop = hopByHop;
    this.error = null;
    this.trailers = "";
    this.#framing = framing;
    this.#left = framing === "length" ? length : 0;
    this.isDone = framing === "none" || (framing === "length" && length === 0);
    this.#state = SIZE;
    this.#sizeDigits = 0;
    this.#extensionBytes = 0;
    if (this.#trailerParser !== null) this.#trailerParser.reset();
  }

  /** Bytes of a body of framing "length" that are still to come. */
  get bytesLeft(): number {
    return this.#framing === "length" ? this.#left : 0;
  }

  /**
   * Decodes from `bytes[offset]` on. Returns the offset after the body when `isDone`, `bytes.length` when
   * more is wanted, or {@link FAILED}.
   */
  decode(bytes: Buffer, offset: number, sink: PayloadSink): number {
    if (this.error !== null) return FAILED;
    if (this.isDone) return offset;
    if (this.#framing === "chunked") return this.#decodeChunks(bytes, offset, sink);
    let end = bytes.length;
    if (this.#framing === "length") {
      if (end - offset >= this.#left) {
        end = offset + this.#left;
        this.isDone = true;
      }
      this.#left -= end - offset;
    }
    if (end > offset) sink.onPayload(bytes, offset, end);
    return end;
  }

  /** The sender has closed: whether that is the end of the body and not a break in it. */
  finishOnClose(): boolean {
    if (this.error !== null) return false;
    if (this.#framing === "close") this.isDone = true;
    return this.isDone;
  }

  #decodeChunks(bytes: Buffer, offset: number, sink: PayloadSink): number {
    const end = bytes.length;
    let at = offset;
    while (at < end) {
      const state = this.#state;
      if (state === DATA) {
        const dataEnd = end - at < this.#left ? end : at + this.#left;
        this.#left -= dataEnd - at;
        // Set before the call: the sink may look at the decoder.
        if (this.#left === 0) this.#state = DATA_CR;
        sink.onPayload(bytes, at, dataEnd);
        at = dataEnd;
      } else if (state === SIZE) {
        at = this.#scanSize(bytes, at, end);
      } else if (state === SIZE_LF) {
        if (bytes[at++] !== LF) return this.#fail(PARSE_ERRORS.bareReturn);
        this.#state = this.#left === 0 ? TRAILERS_START : DATA;
      } else if (state === DATA_CR) {
        if (bytes[at++] !== CR) return this.#fail(PARSE_ERRORS.chunkSpill);
        this.#state = DATA_LF;
      } else if (state === DATA_LF) {
        if (bytes[at++] !== LF) return this.#fail(PARSE_ERRORS.chunkSpill);
        this.#sizeDigits = 0;
        this.#state = SIZE;
      } else if (state === TRAILERS_START) {
        // Nearly every body has no trailers, and then needs no parser for them.
        this.#state = bytes[at] === CR ? LAST_LF : TRAILERS;
        if (bytes[at] === CR) at++;
      } else if (state === LAST_LF) {
        if (bytes[at++] !== LF) return this.#fail(PARSE_ERRORS.bareReturn);
        this.isDone = true;
        return at;
      } else if (state === TRAILERS) {
        return this.#readTrailers(bytes, at);
      } else {
        at = this.#scanExtension(bytes, at, end);
      }
      if (at < 0) return at;
    }
    return end;
  }

  #scanSize(bytes: Buffer, from: number, end: number): number {
    let at = from;
    for (; at < end; at++) {
      const digit = HEX_DIGIT[bytes[at]!]!;
      if (digit === 0) break;
      this.#sizeDigits++;
      // In this order: 2^53 + 1 - 1 would round down to a number that looks exact.
      this.#left = this.#left * 16 + (digit - 1);
    }
    // 16 digits are far from infinity, and what is no exact number is refused: nothing can wrap.
    if (this.#sizeDigits > 16 || this.#left > Number.MAX_SAFE_INTEGER) {
      return this.#fail(PARSE_ERRORS.badChunkSize);
    }
    if (at === end) return at;
    const byte = bytes[at]!;
    if (this.#sizeDigits === 0) return this.#fail(PARSE_ERRORS.badChunkSize);
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#state = EXTENSION_START;
    else return this.#fail(byte === LF ? PARSE_ERRORS.bareLineFeed : PARSE_ERRORS.badChunkSize);
    return at + 1;
  }

  /** `;name`, `;name=token`, `;name="quoted"` (RFC 9112 section 7.1.1); no whitespace outside of quotes. */
  #scanExtension(bytes: Buffer, from: number, end: number): number {
    let state = this.#state;
    let at = from;
    for (; at < end && state !== SIZE_LF; at++) {
      if (++this.#extensionBytes > this.#limits.chunkExtensionBytesMax) {
        return this.#fail(PARSE_ERRORS.longChunkExtensions);
      }
      state = nextExtensionState(state, bytes[at]!);
      if (state === BAD_EXTENSION) {
        return this.#fail(bytes[at] === LF ? PARSE_ERRORS.bareLineFeed : PARSE_ERRORS.badChunkExtension);
      }
    }
    this.#state = state;
    return at;
  }

  #readTrailers(bytes: Buffer, from: number): number {
    this.#trailerParser ??= new TrailerParser(this.#limits, this.#side);
    const next = this.#trailerParser.parse(bytes, from);
    if (next === NEED_MORE) return bytes.length;
    if (next === FAILED) {
      this.error = this.#trailerParser.error;
      return FAILED;
    }
    this.trailers = this.#trailerParser.permittedLines(this.#hopByHop);
    this.isDone = true;
    return next;
  }

  #fail(error: ParseError): number {
    this.error = this.#side === "response" ? asResponseError(error) : error;
    return FAILED;
  }
}

function nextExtensionState(state: number, byte: number): number {
  switch (state) {
    case EXTENSION_START:
      return TOKEN[byte] === 0 ? BAD_EXTENSION : EXTENSION_NAME;
    case EXTENSION_NAME:
      if (TOKEN[byte] !== 0) return EXTENSION_NAME;
      return byte === EQUALS ? EXTENSION_VALUE_START : afterExtension(byte);
    case EXTENSION_VALUE_START:
      if (byte === QUOTE) return EXTENSION_QUOTED;
      return TOKEN[byte] === 0 ? BAD_EXTENSION : EXTENSION_VALUE;
    case EXTENSION_VALUE:
      return TOKEN[byte] === 0 ? afterExtension(byte) : EXTENSION_VALUE;
    case EXTENSION_QUOTED:
      if (byte === QUOTE) return EXTENSION_END;
      if (byte === BACKSLASH) return EXTENSION_ESCAPE;
      return FIELD_VALUE[byte] === 0 ? BAD_EXTENSION : EXTENSION_QUOTED;
    case EXTENSION_ESCAPE:
      return FIELD_VALUE[byte] === 0 ? BAD_EXTENSION : EXTENSION_QUOTED;
    default:
      return afterExtension(byte);
  }
}

function afterExtension(byte: number): number {
  if (byte === CR) return SIZE_LF;
  return byte === SEMICOLON ? EXTENSION_START : BAD_EXTENSION;
}

const SIZE = 0;
const SIZE_LF = 1;
const DATA = 2;
const DATA_CR = 3;
const DATA_LF = 4;
const TRAILERS_START = 5;
const TRAILERS = 6;
const LAST_LF = 7;
const EXTENSION_START = 8;
const EXTENSION_NAME = 9;
const EXTENSION_VALUE_START = 10;
const EXTENSION_VALUE = 11;
const EXTENSION_QUOTED = 12;
const EXTENSION_ESCAPE = 13;
const EXTENSION_END = 14;
const BAD_EXTENSION = 15;
