// Hot path: a few comparisons for each key and value of the prompt and of the top; what is in others is
// passed over. The bytes of sections are hashed piece by piece as they come.
import { NO_KEY } from "../../core/work.ts";
import { canBeginNumber, OPEN_LIST, QUOTE } from "./json-bytes.ts";
import { JsonScan } from "./json-scan.ts";
import { keyIdOf, keyIdOfText } from "./key-names.ts";
import type { LlmApi } from "./llm-api.ts";
import { isMediaKey, isSource, isSourceType, LIST_ITEM } from "./media-keys.ts";
import { PromptSections } from "./prompt-sections.ts";
import type { NestedRoles } from "./role-table.ts";
import { RequestFacts } from "./request-facts.ts";
import { ROLE, SECTIONS } from "./role.ts";
import { ShortValues, textOf } from "./short-values.ts";

/**
 * Reads what a request's body says of the work it brings while the body comes by, in pieces of any size: no
 * piece is kept, and no object is built. `begin`, `push` for each piece, `finish`; then the next body.
 *
 * Of a key that comes twice the last value counts, as with JSON.parse. What is no JSON object makes the scan
 * unreadable, and nothing else: it is for the backend to judge. What was read until then stays.
 */
export class RequestScan extends JsonScan {
  readonly facts: RequestFacts = new RequestFacts();
  readonly #values = new ShortValues();
  readonly #sections = new PromptSections();
  #api: LlmApi | null = null;
  #pathModel = "";
  /** Bytes of the body before the piece that is being read. */
  #offset = 0;
  /** The last key, where it was asked for. */
  #key = 0;
  /** The key at which each open object or list stands; in a list that of the list. */
  readonly #keys = new Uint8Array(this.isObject.length);
  /** Roles in the open object at depth 2, if it has any. */
  #nested: NestedRoles | null = null;
  #role = 0;
  /** Where in the body the model's text begins, while it is being read. */
  #textStart = 0;

  /** The open section, 0 for none. */
  #section = 0;
  /** It is a list, of which the end is left out: the next turn goes on there. */
  #isList = false;
  /** Bytes of this piece that are the section's and were not fed yet; -1 for none, or for no end yet. */
  #sinkFrom = -1;
  #sinkTo = -1;
  #isInMedia = false;
  /** Anthropic's `source` is plain text. */
  #isSourceText = false;

  /** Anew, for a body of that API; `pathModel` is the model that its path names, or "". */
  begin(api: LlmApi, pathModel: string): void {
    this.restart();
    this.facts.reset();
    this.#values.reset();
    this.#sections.reset();
    this.#api = api;
    this.#pathModel = pathModel;
    this.#offset = 0;
    this.#key = 0;
    this.#nested = null;
    this.#role = 0;
    this.#section = 0;
    this.#isList = false;
    this.#sinkFrom = -1;
    this.#sinkTo = -1;
    this.#isInMedia = false;
    this.#isSourceText = false;
  }

  /** The next piece of the body. False when nothing that follows can tell more. */
  push(bytes: Buffer): boolean {
    const isOpen = this.read(bytes);
    this.#offset += bytes.length;
    return isOpen;
  }

  /**
   * What is known by now; more may be pushed after it. `bytesPerToken` turns text into tokens; `tenant` is a
   * hash of whoever shares prompts with nobody else, or `NO_KEY`.
   */
  finish(bytesPerToken: number, tenant: number = NO_KEY): RequestFacts {
    const { facts } = this;
    facts.state = this.isComplete ? "complete" : this.isUnreadable ? "unreadable" : "reading";
    this.#values.fill(facts, this.#api!.streams);
    if (facts.model === "") {
      facts.model = this.#pathModel;
      facts.modelStart = -1;
      facts.modelEnd = -1;
    }
    this.#sections.finish(facts, bytesPerToken, tenant);
    return facts;
  }

  protected override wantsKey(): boolean {
    return this.depth === 1 || this.#section === ROLE.prompt || (this.depth === 2 && this.#nested !== null);
  }

  protected override keyRead(bytes: Buffer, from: number, to: number, hasEscapes: boolean): void {
    this.#key = hasEscapes ? keyIdOfText(textOf(bytes, from, to, true) ?? "") : keyIdOf(bytes, from, to);
    if (this.depth === 1) this.#role = this.#api!.roles.top[this.#key]!;
    else this.#role = this.depth === 2 && this.#nested !== null ? this.#nested.byKey[this.#key]! : 0;
  }

  protected override valueBegins(bytes: Buffer, at: number, byte: number): void {
    if (this.#section !== 0) {
      this.#valueInSection(bytes, at, byte);
      return;
    }
    if (this.depth === 1) {
      const nested = this.#api!.roles.nested[this.#key]!;
      if (nested !== null) this.#values.dropAll(nested.all);
    }
    const role = this.#role;
    if (role === 0) return;
    if (role <= SECTIONS) {
      this.#beginSection(role, at, byte);
      return;
    }
    this.#values.drop(role);
    this.isWanted = true;
    this.#textStart = this.#offset + at;
  }

  protected override opened(): void {
    const { depth } = this;
    // A list in an object stands at the object's last key, everything in a list at the list's.
    this.#keys[depth] = this.isObject[depth - 1] === 1 ? this.#key : this.#keys[depth - 1]!;
    this.#role = 0;
    if (depth === 2) this.#nested = this.isObject[2] === 1 ? this.#api!.roles.nested[this.#key]! : null;
    if (isSource(this.#keys[depth] ?? 0)) this.#isSourceText = false;
  }

  protected override shortRead(
    bytes: Buffer,
    from: number,
    to: number,
    isText: boolean,
    hasEscapes: boolean,
    end: number,
  ): void {
    const text = textOf(bytes, from, to, hasEscapes);
    if (text === null) return;
    if (this.#section !== 0) {
      this.#isSourceText = text === "text";
      return;
    }
    this.#values.take(this.#role, text, isText);
    if (this.#role !== ROLE.model || !isText) return;
    this.facts.modelStart = this.#textStart;
    this.facts.modelEnd = this.#offset + end + 1;
  }

  protected override valueEnded(bytes: Buffer, end: number, after: number): void {
    this.#role = 0;
    if (this.#section === 0) return;
    if (this.#isInMedia) this.#endMedia(bytes, end);
    if (this.depth === 1) this.#endSection(bytes, end, after);
    else if (this.depth === 2 && this.#isList) this.#sinkTo = after;
  }

  protected override numbersFollowed(count: number): void {
    if (this.#isBare()) this.#sections.addIds(count);
  }

  /** What stands between two turns belongs to the prompt only when the second one is there. */
  protected override commaRead(bytes: Buffer, at: number): void {
    if (!this.#isList || this.depth !== 2) return;
    if (this.#sinkTo !== at) {
      this.#feed(bytes, this.#sinkTo);
      this.#sinkFrom = at;
    }
    this.#sinkTo = -1;
  }

  protected override pieceEnds(bytes: Buffer, to: number): void {
    if (this.#sinkFrom < 0) return;
    this.#feed(bytes, this.#sinkTo < 0 ? to : this.#sinkTo);
    this.#sinkFrom = this.#sinkTo < 0 ? 0 : -1;
    this.#sinkTo = -1;
  }

  #feed(bytes: Buffer, to: number): void {
    if (this.#sinkFrom >= 0 && to > this.#sinkFrom) this.#sections.feed(bytes, this.#sinkFrom, to);
  }

  #beginSection(role: number, at: number, byte: number): void {
    this.#section = role;
    this.#sections.drop(role);
    this.#sections.begin(role);
    this.#isList = role === ROLE.prompt && byte === OPEN_LIST;
    this.#sinkFrom = byte === QUOTE || this.#isList ? at + 1 : at;
    if (role === ROLE.media && byte === QUOTE) this.#sections.addPart();
  }

  #valueInSection(bytes: Buffer, at: number, byte: number): void {
    if (byte !== QUOTE) {
      if (canBeginNumber(byte) && this.#isBare()) this.#sections.addIds(1);
      return;
    }
    if (this.#section === ROLE.media) this.#sections.addPart();
    if (this.#section !== ROLE.prompt) return;
    const around = this.#keys[this.depth]!;
    const key = this.isObject[this.depth] === 1 ? this.#key : LIST_ITEM;
    if (isSourceType(key, around)) this.isWanted = true;
    else if (isMediaKey(key, around) && !(this.#isSourceText && isSource(around)))
      this.#beginMedia(bytes, at);
  }

  #beginMedia(bytes: Buffer, at: number): void {
    this.#feed(bytes, at + 1);
    this.#sections.beginMedia();
    this.#isInMedia = true;
    this.#sinkFrom = at + 1;
  }

  #endMedia(bytes: Buffer, end: number): void {
    this.#feed(bytes, end);
    this.#sections.endMedia();
    this.#isInMedia = false;
    this.#sinkFrom = end;
  }

  #endSection(bytes: Buffer, end: number, after: number): void {
    const isText = this.#section !== 0 && after > end && bytes[end] === QUOTE;
    this.#feed(bytes, this.#sinkTo >= 0 ? this.#sinkTo : isText || this.#isList ? end : after);
    this.#sections.end();
    this.#section = 0;
    this.#isList = false;
    this.#sinkFrom = -1;
    this.#sinkTo = -1;
  }

  /** In a list of numbers, or in a list of such lists: they are tokens. */
  #isBare(): boolean {
    if (this.#section !== ROLE.prompt && this.#section !== ROLE.context) return false;
    const { depth, isObject } = this;
    return isObject[2] === 0 && (depth === 2 || (depth === 3 && isObject[3] === 0));
  }
}
