// The parser of requests and responses and the decoder of bodies: any stream of bytes.
import assert from "node:assert/strict";
import { hashText } from "../../../src/core/kit/hash.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { DEFAULT_LIMITS, type Http1Limits } from "../../../src/http1/limits.ts";
import {
  readRequest,
  readResponse,
  type Reading as SecondReading,
} from "../../conformance/corpus/reference.ts";
import { requestCorpus } from "../../conformance/corpus/requests.ts";
import { responseCorpus } from "../../conformance/corpus/responses.ts";
import { cutsOf, mutated, once, pick } from "../mutation.ts";
import type { Target } from "../target.ts";
import { isResponse, type Message, type Reading, readStream, type Side, written } from "../stream.ts";

/** Parsers, bodies and trailers. */
export const http1: Target = {
  name: "http1",
  about: "requests, responses and their bodies",
  make,
  check: (input) => {
    const methods = isResponse(input) ? METHODS : ["GET"];
    const outcomes = methods.map((method) => checkStream(input, { isResponse: isResponse(input), method }));
    return [...new Set(outcomes)].join(", ");
  },
};

function checkStream(input: string, side: Side): string {
  const random = new Random(hashText(input));
  for (const limits of [SMALL, DEFAULT_LIMITS]) {
    const whole = readStream(input, side, limits, []);
    const everyByte = Array.from({ length: Math.min(input.length, BYTES_APART_MAX) }, (_, i) => i + 1);
    assert.deepEqual(readStream(input, side, limits, everyByte), whole, "byte by byte");
    assert.deepEqual(readStream(input, side, limits, cutsOf(input.length, random)), whole, "in pieces");
  }
  const reading = readStream(input, side, DEFAULT_LIMITS, []);
  const again = readStream(reading.messages.map(written).join(""), side, WIDE, []);
  assert.deepEqual(again.messages.map(withoutEnd), reading.messages.map(withoutEnd), "written again");
  // The second reader does not know tunnels.
  if (side.method !== "CONNECT") compare(input, side, reading);
  const kinds = new Set(reading.messages.map(({ framing }) => framing));
  return `${side.isResponse ? "response" : "request"} ${reading.code ?? reading.end} ${[...kinds].sort().join("+")}`;
}

function withoutEnd({ end: _end, ...message }: Message): unknown {
  return message;
}

/** The second reader sees the same messages, and none that was refused. */
function compare(input: string, side: Side, reading: Reading): void {
  let at = 0;
  for (const message of reading.messages) {
    const second = readSecond(input, at, side);
    assert(
      second.kind === "message",
      `the second reader: ${second.kind === "refused" ? second.why : second.kind}`,
    );
    assert.deepEqual(second.fields.map(spelled), message.fields.map(spelled), "fields");
    assert.equal(second.body, message.body, "content");
    // Where a tunnel was asked for, or an answer without a body implies a length, we alone go no further.
    const isStricter = side.isResponse || message.startLine.startsWith("CONNECT ");
    if (message.keepAlive || !isStricter) assert.equal(second.keepAlive, message.keepAlive, "keep-alive");
    assert.equal(second.end, message.end, "end");
    at = message.end;
    if (!message.keepAlive) return;
  }
  const rest = readSecond(input, at, side);
  const isLonger = reading.end !== "refused" && rest.kind === "message";
  assert(!isLonger, "the second reader sees one more message");
  if (reading.end === "refused" && !LIMIT_CODES.has(reading.code!))
    assert.notEqual(rest.kind, "message", `the second reader takes what was refused: ${reading.code}`);
}

/** Zeros in front of a length are taken out by us. */
function spelled([name, value]: readonly [string, string]): string {
  const lower = name.toLowerCase();
  return `${lower}: ${lower === "content-length" ? value.replace(/^0+(?=\d)/, "") : value}`;
}

function readSecond(input: string, at: number, { isResponse, method }: Side): SecondReading {
  return isResponse ? readResponse(input, at, method, true) : readRequest(input, at);
}

function make(random: Random): string {
  const isAnswer = once(2, random);
  const samples = isAnswer ? RESPONSES : REQUESTS;
  const text = once(3, random)
    ? isAnswer
      ? grammarResponse(random)
      : grammarRequest(random)
    : pick(samples, random);
  if (once(6, random)) return text;
  const stream = once(4, random) ? text + pick(samples, random) : text;
  return mutated(stream, samples, INSERTS, random);
}

function grammarRequest(random: Random): string {
  const line = `${pick(METHODS_ASKED, random)} ${pick(TARGETS, random)} HTTP/1.${once(6, random) ? 0 : 1}\r\n`;
  return `${line}host: ${pick(HOSTS, random)}\r\n${grammarRest(random)}`;
}

function grammarResponse(random: Random): string {
  return `HTTP/1.${once(6, random) ? 0 : 1} ${pick(STATUSES, random)}\r\n${grammarRest(random)}`;
}

function grammarRest(random: Random): string {
  let fields = "";
  for (let left = random.below(5); left > 0; left--) {
    const isOdd = once(4, random);
    fields += `${pick(NAMES, random)}:${isOdd ? "" : " "}${pick(VALUES, random)}${isOdd ? " \t" : ""}\r\n`;
  }
  const content = "x".repeat(random.below(40));
  switch (random.below(4)) {
    case 0:
      return `${fields}content-length: ${content.length}\r\n\r\n${content}`;
    case 1: {
      let chunks = "";
      for (let left = random.below(4); left > 0; left--) {
        const size = 1 + random.below(30);
        chunks += `${size.toString(16)}${pick(EXTENSIONS, random)}\r\n${"y".repeat(size)}\r\n`;
      }
      const trailers = once(3, random) ? `${pick(NAMES, random)}: ${pick(VALUES, random)}\r\n` : "";
      return `${fields}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n${trailers}\r\n`;
    }
    default:
      return `${fields}\r\n`;
  }
}

const REQUESTS = requestCorpus(new Random(1), 0).map(({ bytes }) => bytes);
const RESPONSES = responseCorpus(new Random(1), 0)
  .map(({ bytes }) => bytes)
  .filter((bytes) => bytes.length < 10_000);
const METHODS = ["GET", "HEAD", "CONNECT"];
const METHODS_ASKED = ["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "PUT", "M-SEARCH"];
const TARGETS = [
  "/",
  "/a?b=c",
  "*",
  "http://a/b?c",
  "HTTPS://A:1?x",
  "a:443",
  "/%2e%2e/",
  "/a;b[]|{}^`",
  "//a?b?c",
];
const HOSTS = ["a", "A.example:8080", "[::1]:1", "127.0.0.1", "a:", ""];
const STATUSES = [
  "200 OK",
  "200",
  "204 X",
  "304 Y",
  "100 Continue",
  "101 Z",
  "205 R",
  "206 P",
  "500 \xe4",
  "599 ",
];
const NAMES = [
  "Connection",
  "TE",
  "Trailer",
  "Expect",
  "Upgrade",
  "X-A",
  "a",
  "Cookie",
  "Via",
  "x-forwarded-for",
  "Host",
];
const VALUES = [
  "close",
  "keep-alive, x-a",
  "100-continue",
  "trailers",
  "websocket",
  "",
  "a\tb",
  "\xff",
  '"q\\""',
  ",,",
];
const EXTENSIONS = ["", "", "", ";a", ";a=b", ';a="b\\"c"'];
const INSERTS = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\0",
  "\x7f",
  "\xff",
  "0",
  "f",
  "+",
  '"',
  "_",
  "#",
  "@",
  "content-length: 5\r\n",
  "transfer-encoding: chunked\r\n",
  "host: b\r\n",
  "connection: close\r\n",
  "HTTP/1.1",
  "chunked, ",
  "ffffffffffffffff",
  "0\r\n\r\n",
  "a".repeat(700),
  "x: y\r\n".repeat(13),
  "x: y\r\n".repeat(130),
];

/** So small that mutations reach them. */
const SMALL: Http1Limits = {
  headerBytesMax: 600,
  headerCountMax: 12,
  uriBytesMax: 200,
  chunkExtensionBytesMax: 40,
  trailerBytesMax: 100,
};
/** What is written may be longer than what was read, by a space in each line. */
const WIDE: Http1Limits = { ...DEFAULT_LIMITS, headerBytesMax: 2 * DEFAULT_LIMITS.headerBytesMax };
/** Beyond it one byte after the other costs more than it finds. */
const BYTES_APART_MAX = 4_096;
/** The second reader has no such limits. */
const LIMIT_CODES: ReadonlySet<string> = new Set([
  "HTTP_LONG_TARGET",
  "HTTP_LONG_FIELDS",
  "HTTP_MANY_FIELDS",
  "HTTP_LONG_CHUNK_EXTENSIONS",
]);
