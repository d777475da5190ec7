// Streams of HTTP messages, read whole by our parsers in any pieces, and written again.
import assert from "node:assert/strict";
import { BodyDecoder } from "../../src/http1/body.ts";
import type { Framing, ResponseHead } from "../../src/http1/head.ts";
import type { Http1Limits } from "../../src/http1/limits.ts";
import { FAILED, NEED_MORE, RequestParser, ResponseParser } from "../../src/http1/parser.ts";

/** Which parser reads; `method` is what a response answers. */
export interface Side {
  readonly isResponse: boolean;
  readonly method: string;
}

/** A whole message. */
export interface Message {
  readonly startLine: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: Framing;
  readonly keepAlive: boolean;
  readonly body: string;
  /** Those that may be passed on. */
  readonly trailers: string;
  /** Offset behind it. */
  readonly end: number;
}

/** A stream that was read to its end, its first error or the last message of its connection. */
export interface Reading {
  readonly messages: readonly Message[];
  readonly end: "waiting" | "refused" | "last";
  /** Start line of the message whose body was cut off or refused. */
  readonly begun: string | null;
  readonly code: string | null;
}

/** Whether bytes are meant to be a response. */
export function isResponse(bytes: string): boolean {
  return bytes.startsWith("HTTP");
}

/** Reads latin1 `text`, given in pieces that end at `cuts`; asserts that each step goes on. */
export function readStream(text: string, side: Side, limits: Http1Limits, cuts: readonly number[]): Reading {
  const reader = new StreamReader(side, limits);
  let from = 0;
  for (const to of [...cuts, text.length]) {
    // A new one each time, as a response parser may rewrite what it is given.
    reader.read(Buffer.from(text.slice(from, to), "latin1"), from);
    from = to;
  }
  return reader.finish(text.length);
}

/** `message` in our own spelling. */
export function written({ startLine, fields, framing, body, trailers }: Message): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const chunk = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return `${startLine}\r\n${lines}\r\n${framing === "chunked" ? `${chunk}0\r\n${trailers}\r\n` : body}`;
}

class StreamReader {
  readonly messages: Message[] = [];
  readonly #parser: RequestParser | ResponseParser;
  readonly #decoder: BodyDecoder;
  #head: Omit<Message, "body" | "trailers" | "end"> | null = null;
  #body = "";
  #end: Reading["end"] = "waiting";
  #code: string | null = null;

  constructor({ isResponse, method }: Side, limits: Http1Limits) {
    this.#parser = isResponse ? new ResponseParser(limits) : new RequestParser(limits);
    if (this.#parser instanceof ResponseParser) this.#parser.requestMethod = method;
    this.#decoder = new BodyDecoder(limits, isResponse ? "response" : "request");
  }

  read(piece: Buffer, base: number): void {
    for (let at = 0; at < piece.length && this.#end === "waiting";) {
      const isBody = this.#head !== null;
      const next = isBody ? this.#decoder.decode(piece, at, this) : this.#parser.parse(piece, at);
      if (next === FAILED) return this.#refuse();
      if (next === NEED_MORE) return assert.equal(isBody, false, "a decoder takes what it is given");
      assert(next > at && next <= piece.length, "an offset moves on, within the piece");
      at = next;
      if (!isBody) this.#begin();
      if (this.#decoder.isDone) this.#complete(base + at);
    }
  }

  finish(length: number): Reading {
    if (this.#end === "waiting" && this.#head !== null && this.#decoder.finishOnClose())
      this.#complete(length);
    const begun = this.#head?.startLine ?? null;
    return { messages: this.messages, end: this.#end, begun, code: this.#code };
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    assert(start < end && start >= 0 && end <= bytes.length, "content within the piece");
    this.#body += bytes.toString("latin1", start, end);
  }

  #begin(): void {
    const { head } = this.#parser;
    const fields = Array.from({ length: head.count }, (_, i) => [head.nameAt(i), head.valueAt(i)] as const);
    for (const [name, value] of fields) {
      assert.match(name, /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/u, "name");
      assert.match(value, /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/u, "value");
    }
    const { framing, keepAlive } = head;
    const startLine =
      "method" in head ? `${head.method} ${head.target} HTTP/1.${head.minorVersion}` : statusLineOf(head);
    this.#head = { startLine, fields, framing, keepAlive };
    this.#body = "";
    this.#decoder.start(framing, head.contentLength, head.connectionOptions);
  }

  #complete(end: number): void {
    const { trailers } = this.#decoder;
    this.messages.push({ ...this.#head!, body: this.#body, trailers, end });
    if (!this.#head!.keepAlive) this.#end = "last";
    this.#head = null;
  }

  #refuse(): void {
    const error = this.#head === null ? this.#parser.error : this.#decoder.error;
    const isOurs = this.#parser instanceof ResponseParser ? error?.status === 502 : error!.status >= 400;
    assert(error !== null && isOurs, "a refusal has a code and a status");
    assert.equal(
      this.#head === null ? this.#parser.parse(ONE, 0) : this.#decoder.decode(ONE, 0, this),
      FAILED,
      "stays",
    );
    this.#end = "refused";
    this.#code = error.code;
  }
}

function statusLineOf(head: ResponseHead): string {
  return `HTTP/1.${head.minorVersion} ${head.status} ${head.reason}`;
}

const ONE = Buffer.from("x");
