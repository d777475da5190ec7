// Hot path: one object per connection, refilled per message; strings are made only when asked for.
import { FIELD, fieldId, fieldIdOf } from "./fields.ts";
import { equalsLatin1, latin1 } from "./latin1.ts";

/** How the end of a body is found (RFC 9112 section 6.3). */
export type Framing = "none" | "length" | "chunked" | "close";

/** Form of a request target (RFC 9112 section 3.2). */
export type TargetForm = "origin" | "absolute" | "asterisk" | "authority";

/**
 * The fields of one message as offsets into `bytes`. Valid until the parser's next `parse`, and while the
 * buffer that was given to `parse` is not reused.
 */
export class MessageHead {
  bytes: Buffer = NO_BYTES;
  /** Number of field lines. */
  count = 0;
  /**
   * Four offsets per field: name start and end, value start and end (without the whitespace around it).
   * One more entry holds the offset of the empty line that ends the head: line `i` is
   * `bytes[spans[4 * i], spans[4 * i + 4])`, so runs of untouched lines are one slice.
   */
  spans: Int32Array = new Int32Array(4 * (FIELDS_AT_FIRST + 1));
  /** {@link FIELD} number per field; 0 = unknown. */
  ids: Uint8Array = new Uint8Array(FIELDS_AT_FIRST);
  /** Minor version, 0 or 1 (a higher one counts as 1). */
  minorVersion = 1;
  /** Value of Content-Length, 0 to 2^53-1; -1 when there is none. */
  contentLength = -1;
  /** Transfer-Encoding is chunked. */
  isChunked = false;
  framing: Framing = "none";
  /** Whether the connection may carry another message after this one. Never for HTTP/1.0. */
  keepAlive = true;
  /** Lower-case options of Connection other than close and keep-alive; null when there are none. */
  connectionOptions: string[] | null = null;

  /** Position of the first field with this {@link FIELD} number, or -1. */
  indexOf(id: number): number {
    const ids = this.ids;
    for (let i = 0; i < this.count; i++) if (ids[i] === id) return i;
    return -1;
  }

  /** Value of the first field with this {@link FIELD} number, or null. */
  value(id: number): string | null {
    const index = this.indexOf(id);
    return index < 0 ? null : this.valueAt(index);
  }

  /** Value of field `index`, latin1. */
  valueAt(index: number): string {
    return latin1(this.bytes, this.spans[4 * index + 2]!, this.spans[4 * index + 3]!);
  }

  /** Name of field `index` as received. */
  nameAt(index: number): string {
    return latin1(this.bytes, this.spans[4 * index]!, this.spans[4 * index + 1]!);
  }

  /** Where line `index` begins; `lineStart(count)` is where the last line ends. */
  lineStart(index: number): number {
    return this.spans[4 * index]!;
  }

  /** Lines `[from, to)` as received, each with its CRLF. */
  lines(from: number, to: number): string {
    return latin1(this.bytes, this.lineStart(from), this.lineStart(to));
  }

  /** Value of the first field of this name (any case), or null. */
  get(name: string): string | null {
    const lowerCaseName = name.toLowerCase();
    const id = fieldIdOf(lowerCaseName);
    if (id !== FIELD.unknown) return this.value(id);
    for (let i = 0; i < this.count; i++) {
      if (this.ids[i] !== FIELD.unknown) continue;
      if (this.spans[4 * i + 1]! - this.spans[4 * i]! !== name.length) continue;
      if (this.nameAt(i).toLowerCase() === lowerCaseName) return this.valueAt(i);
    }
    return null;
  }

  /** Whether Connection names this lower-case option. */
  hasConnectionOption(option: string): boolean {
    return this.connectionOptions !== null && this.connectionOptions.includes(option);
  }

  /** Forgets the message before. For the parser. */
  clear(): void {
    this.count = 0;
    this.minorVersion = 1;
    this.contentLength = -1;
    this.isChunked = false;
    this.framing = "none";
    this.keepAlive = true;
    this.connectionOptions = null;
  }

  /** Adds a field whose line has been checked; offsets into `bytes`. For the parser. */
  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const index = this.count++;
    if (index === this.ids.length) this.#grow();
    const spans = this.spans;
    const at = 4 * index;
    spans[at] = nameStart;
    spans[at + 1] = nameEnd;
    spans[at + 2] = valueStart;
    spans[at + 3] = valueEnd;
    this.ids[index] = fieldId(this.bytes, nameStart, nameEnd);
  }

  /** Notes where the lines end. For the parser. */
  finishLines(end: number): void {
    this.spans[4 * this.count] = end;
  }

  /** The bytes have moved `shift` bytes towards the start of another buffer. For the parser. */
  rebase(shift: number): void {
    // The entry after the last field, too: the head may lack no more than its last LF.
    const last = 4 * this.count;
    for (let i = 0; i <= last; i++) this.spans[i]! -= shift;
  }

  #grow(): void {
    const fields = this.ids.length * 2;
    const ids = new Uint8Array(fields);
    ids.set(this.ids);
    const spans = new Int32Array(4 * (fields + 1));
    spans.set(this.spans);
    this.ids = ids;
    this.spans = spans;
  }
}

/** The head of a request. */
export class RequestHead extends MessageHead {
  /** Case-sensitive, one shared string per known method. */
  method = "";
  /** The target as received. */
  target = "";
  targetForm: TargetForm = "origin";
  /** What an upstream is asked for: the target without scheme and authority, "*" included. */
  originTarget = "";
  /** `originTarget` up to the first "?"; "" for the authority form. */
  path = "";
  /** What follows the first "?", without it; "" when there is none. */
  query = "";
  /** Authority of the target if it has one, else the Host field; lower-case, with its port if given. */
  host = "";
  /** The client waits for a 100 before it sends its body. */
  expectsContinue = false;
  /** Value of Upgrade when Connection names it and the version is 1.1; else null. */
  upgrade: string | null = null;

  override clear(): void {
    super.clear();
    this.expectsContinue = false;
    this.upgrade = null;
  }

  /** The same with bytes of its own: for whoever needs a head for longer than the parser keeps it. */
  copy(): RequestHead {
    const copy = Object.assign(new RequestHead(), this);
    const from = this.lineStart(0);
    copy.bytes = Buffer.from(this.bytes.subarray(from, this.lineStart(this.count)));
    copy.spans = this.spans.slice(0, 4 * (this.count + 1));
    copy.ids = this.ids.slice(0, this.count);
    copy.rebase(from);
    return copy;
  }

  /** Whether the target is the same as that of the message before (then its parts are, too). */
  hasTarget(start: number, end: number): boolean {
    return equalsLatin1(this.bytes, start, end, this.target);
  }
}

/** The head of a response. */
export class ResponseHead extends MessageHead {
  /** 100 to 599. */
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  /** The reason phrase as received, latin1. */
  get reason(): string {
    return latin1(this.bytes, this.reasonStart, this.reasonEnd);
  }

  override rebase(shift: number): void {
    super.rebase(shift);
    this.reasonStart -= shift;
    this.reasonEnd -= shift;
  }
}

/** Fields that a head has room for before it grows; browsers send 10 to 20. */
const FIELDS_AT_FIRST = 32;
const NO_BYTES = Buffer.alloc(0);
