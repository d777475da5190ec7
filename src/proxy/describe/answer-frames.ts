// Hot path: per read one native search for each kind of line end, then one more a line. No byte is copied.

/** How a stream is cut into events: server-sent events, or one JSON text a line. */
export type AnswerFraming = "sse" | "ndjson";

/** Where a stream broke off: what must be sent so that an event of ours stands apart. */
export interface StreamCut {
  /** Ends the line under way; "" between lines. */
  readonly lineEnd: string;
  /** An event is under way: an empty line would hand it to the client. */
  readonly isInEvent: boolean;
}

/**
 * Finds where the events of a stream end, however its bytes are cut: behind an empty line (SSE, any mix of
 * LF, CRLF and CR: HTML Living Standard, 9.2.5) or behind a line feed (NDJSON). It judges and keeps nothing.
 */
export class AnswerFrames {
  #isSse = true;
  /** Places of the next line ends in the bytes at hand; their length where there is none. */
  #lineFeedAt = -1;
  #carriageReturnAt = -1;
  #isLineEmpty = true;
  #hasField = false;
  #isAfterCarriageReturn = false;
  /** The frame that ended last was an event: no comment, no empty line. */
  isEvent = false;

  /** A new stream. */
  begin(framing: AnswerFraming): void {
    this.#isSse = framing === "sse";
    this.#isLineEmpty = true;
    this.#hasField = false;
    this.#isAfterCarriageReturn = false;
    this.isEvent = false;
  }

  /** The next bytes of the stream; returns where in them to go on: a CRLF may have been cut in two. */
  enter(bytes: Uint8Array): number {
    this.#lineFeedAt = -1;
    this.#carriageReturnAt = -1;
    if (!this.#isAfterCarriageReturn || bytes.length === 0) return 0;
    this.#isAfterCarriageReturn = false;
    return bytes[0] === LF ? 1 : 0;
  }

  /** Where the frame ends that goes on at `at`; -1 when it does not end in these bytes. */
  next(bytes: Uint8Array, at: number): number {
    return this.#isSse ? this.#nextEvent(bytes, at) : this.#nextLine(bytes, at);
  }

  /** Where the stream stands now. */
  get cut(): StreamCut {
    // Behind a CR, a line feed of ours would be the second half of a CRLF: it ends no line more.
    const isInLine = !this.#isLineEmpty || this.#isAfterCarriageReturn;
    return { lineEnd: isInLine ? "\n" : "", isInEvent: this.#isSse && this.#hasField };
  }

  #nextEvent(bytes: Uint8Array, from: number): number {
    const end = bytes.length;
    let at = from;
    while (at < end) {
      if (this.#lineFeedAt < at) this.#lineFeedAt = find(bytes, LF, at);
      if (this.#carriageReturnAt < at) this.#carriageReturnAt = find(bytes, CR, at);
      const lineEnd = Math.min(this.#lineFeedAt, this.#carriageReturnAt);
      if (lineEnd > at && this.#isLineEmpty) {
        this.#isLineEmpty = false;
        if (bytes[at] !== COLON) this.#hasField = true;
      }
      if (lineEnd === end) return -1;
      at = lineEnd + 1;
      if (bytes[lineEnd] === CR) {
        if (at === end) this.#isAfterCarriageReturn = true;
        else if (bytes[at] === LF) at++;
      }
      if (this.#isLineEmpty) return this.#end(at);
      this.#isLineEmpty = true;
    }
    return -1;
  }

  #nextLine(bytes: Uint8Array, at: number): number {
    const lineEnd = find(bytes, LF, at);
    for (let i = at; this.#isLineEmpty && i < lineEnd; i++) {
      if (bytes[i]! > SPACE) this.#isLineEmpty = false;
    }
    if (lineEnd === bytes.length) return -1;
    this.#hasField = !this.#isLineEmpty;
    this.#isLineEmpty = true;
    return this.#end(lineEnd + 1);
  }

  #end(at: number): number {
    this.isEvent = this.#hasField;
    this.#hasField = false;
    return at;
  }
}

function find(bytes: Uint8Array, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
