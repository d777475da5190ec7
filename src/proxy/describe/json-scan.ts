// Hot path: one look at each byte outside of strings, native search within long ones; only short texts that
// are wanted are copied, and only when they are cut. Time is linear in the bytes, whatever they are.
import { CutText, SHORT_BYTES_MAX } from "./cut-text.ts";
import { canBeginValue } from "./json-bytes.ts";
import { endOfLiteral, endOfSpace, endOfText, firstEscape } from "./json-spans.ts";
import { NumberRun } from "./number-run.ts";

/** Objects and lists in each other; deeper ones make a text unreadable for us. */
export const DEPTH_MAX = 256;

/**
 * Walks over the bytes of one JSON object that come in pieces of any size. It builds nothing, calls nobody
 * for what nobody wants, and takes more for JSON than JSON is: numbers, literals and escapes are not looked
 * at. `extends` it and be told; positions are those of the piece that is being pushed.
 */
export abstract class JsonScan {
  #state: number = START;
  #isEscaped = false;
  #hasEscapes = false;
  #isKey = false;
  /** Where in this piece the wanted text begins; what came of it in pieces before is {@link #cut}. */
  #from = 0;
  readonly #cut = new CutText();
  readonly #run = new NumberRun();
  /** The open objects and lists, from 1. */
  protected depth = 0;
  protected readonly isObject: Uint8Array = new Uint8Array(DEPTH_MAX + 1);
  /** Set by {@link valueBegins}: the text or literal that begins is to be told. */
  protected isWanted = false;

  get isComplete(): boolean {
    return this.#state === DONE;
  }

  get isUnreadable(): boolean {
    return this.#state === UNREADABLE;
  }

  protected restart(): void {
    this.#state = START;
    this.#isEscaped = false;
    this.#cut.length = 0;
    this.depth = 0;
    this.isWanted = false;
  }

  /** Whether the next key is to be told. */
  protected abstract wantsKey(): boolean;
  /** A key, without its quotes; elsewhere in `bytes` than in the piece when it was cut. */
  protected abstract keyRead(bytes: Buffer, from: number, to: number, hasEscapes: boolean): void;
  /** `byte` tells its kind. */
  protected abstract valueBegins(bytes: Buffer, at: number, byte: number): void;
  /** Of the object or list that has just been opened: {@link depth} counts it. */
  protected abstract opened(): void;
  /** A wanted text (without quotes) or literal; it ended at `end` of the piece. */
  protected abstract shortRead(
    bytes: Buffer,
    from: number,
    to: number,
    isText: boolean,
    hasEscapes: boolean,
    end: number,
  ): void;
  /** Between `end` and `after` is the quote or bracket that closes it. */
  protected abstract valueEnded(bytes: Buffer, end: number, after: number): void;
  /** So many numbers more, each after a comma, have followed a number in a list. */
  protected abstract numbersFollowed(count: number): void;
  protected abstract commaRead(bytes: Buffer, at: number): void;
  /** The piece ends at `to`, or is not JSON from there. */
  protected abstract pieceEnds(bytes: Buffer, to: number): void;

  /** Reads a piece. False when nothing that follows can tell more. */
  protected read(bytes: Buffer): boolean {
    const end = bytes.length;
    let at = 0;
    while (at < end && this.#state !== UNREADABLE) {
      if (this.#state === TEXT) at = this.#readText(bytes, at, end);
      else if (this.#state === LITERAL) at = this.#readLiteral(bytes, at, end);
      else at = this.#step(bytes, at, end);
    }
    if (this.#state !== UNREADABLE) this.pieceEnds(bytes, end);
    if (this.isWanted && (this.#state === TEXT || this.#state === LITERAL))
      this.#cut.add(bytes, this.#from, end);
    this.#from = 0;
    return this.#state < DONE;
  }

  /** One byte between texts and literals, after white space. */
  #step(bytes: Buffer, from: number, end: number): number {
    const at = bytes[from]! > SPACE ? from : endOfSpace(bytes, from, end);
    if (at === end) return end;
    const byte = bytes[at]!;
    switch (this.#state) {
      case VALUE:
        return this.#beginValue(bytes, at, byte);
      case FIRST_VALUE:
        return byte === CLOSE_LIST ? this.#close(bytes, at, 0) : this.#beginValue(bytes, at, byte);
      case KEY:
        return byte === QUOTE ? this.#beginKey(at) : this.#fail(bytes, at);
      case FIRST_KEY:
        if (byte === QUOTE) return this.#beginKey(at);
        return byte === CLOSE_OBJECT ? this.#close(bytes, at, 1) : this.#fail(bytes, at);
      case COLON:
        if (byte !== COLON_SIGN) return this.#fail(bytes, at);
        this.#state = VALUE;
        return at + 1;
      case AFTER:
        if (byte === COMMA) return this.#comma(bytes, at);
        if (byte === CLOSE_OBJECT) return this.#close(bytes, at, 1);
        return byte === CLOSE_LIST ? this.#close(bytes, at, 0) : this.#fail(bytes, at);
      case START:
        return byte === OPEN_OBJECT ? this.#open(bytes, at, 1) : this.#fail(bytes, at);
      default:
        return this.#fail(bytes, at);
    }
  }

  #beginKey(at: number): number {
    this.#isKey = true;
    this.isWanted = this.wantsKey();
    return this.#beginToken(at + 1, TEXT);
  }

  #beginToken(from: number, state: number): number {
    this.#state = state;
    this.#hasEscapes = false;
    this.#cut.length = 0;
    this.#from = from;
    return from;
  }

  #beginValue(bytes: Buffer, at: number, byte: number): number {
    this.#isKey = false;
    this.isWanted = false;
    if (!canBeginValue(byte)) return this.#fail(bytes, at);
    this.valueBegins(bytes, at, byte);
    if (byte === OPEN_OBJECT) return this.#open(bytes, at, 1);
    if (byte === OPEN_LIST) return this.#open(bytes, at, 0);
    return byte === QUOTE ? this.#beginToken(at + 1, TEXT) : this.#beginToken(at, LITERAL);
  }

  #open(bytes: Buffer, at: number, isObject: number): number {
    if (this.depth === DEPTH_MAX) return this.#fail(bytes, at);
    this.isObject[++this.depth] = isObject;
    this.#state = isObject === 1 ? FIRST_KEY : FIRST_VALUE;
    this.opened();
    return at + 1;
  }

  #close(bytes: Buffer, at: number, isObject: number): number {
    if (this.isObject[this.depth] !== isObject) return this.#fail(bytes, at);
    this.depth--;
    this.#endValue(bytes, at, at + 1);
    return at + 1;
  }

  #endValue(bytes: Buffer, end: number, after: number): void {
    this.#state = this.depth === 0 ? DONE : AFTER;
    this.valueEnded(bytes, end, after);
  }

  #comma(bytes: Buffer, at: number): number {
    this.#state = this.isObject[this.depth] === 1 ? KEY : VALUE;
    this.commaRead(bytes, at);
    return at + 1;
  }

  #readText(bytes: Buffer, from: number, end: number): number {
    const start = this.#isEscaped ? from + 1 : from;
    const at = endOfText(bytes, start, end);
    this.#isEscaped = at > end;
    if (this.isWanted && !this.#hasEscapes) this.#hasEscapes = start > from || hasEscape(bytes, start, at);
    if (at >= end) return end;
    if (this.isWanted) this.#tell(bytes, at, true);
    if (this.#isKey) this.#state = COLON;
    else this.#endValue(bytes, at, at + 1);
    return at + 1;
  }

  #readLiteral(bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (this.isObject[this.depth] === 0) {
      const run = this.#run;
      run.read(bytes, from, end);
      at = run.end;
      if (run.commas > 0) this.numbersFollowed(run.commas);
    }
    at = endOfLiteral(bytes, at, end);
    if (at === end) return end;
    if (this.isWanted) this.#tell(bytes, at, false);
    this.#endValue(bytes, at, at);
    return at;
  }

  #tell(bytes: Buffer, at: number, isText: boolean): void {
    const isCut = this.#cut.length > 0;
    if (isCut) this.#cut.add(bytes, this.#from, at);
    const source = isCut ? this.#cut.bytes : bytes;
    const from = isCut ? 0 : this.#from;
    const to = isCut ? this.#cut.length : at;
    const isLong = to - from > SHORT_BYTES_MAX;
    if (this.#isKey) this.keyRead(source, from, isLong ? from : to, this.#hasEscapes);
    else if (!isLong) this.shortRead(source, from, to, isText, this.#hasEscapes, at);
  }

  #fail(bytes: Buffer, at: number): number {
    this.#state = UNREADABLE;
    this.pieceEnds(bytes, at);
    return bytes.length;
  }
}

/** A wanted text is short, or not read in the end. */
function hasEscape(bytes: Buffer, from: number, to: number): boolean {
  const end = Math.min(to, bytes.length, from + SHORT_BYTES_MAX);
  return firstEscape(bytes, from, end) < end;
}

const START = 0;
const VALUE = 1;
const FIRST_VALUE = 2;
const KEY = 3;
const FIRST_KEY = 4;
const COLON = 5;
const AFTER = 6;
const TEXT = 7;
const LITERAL = 8;
const DONE = 9;
const UNREADABLE = 10;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON_SIGN = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
