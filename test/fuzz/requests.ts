// Requests for targets that listen.
import { Random } from "../../src/core/kit/random.ts";
import { requestCorpus } from "../conformance/corpus/requests.ts";
import { once, pick } from "./mutation.ts";

/** What requests are made of. */
export interface Parts {
  readonly methods: readonly string[];
  readonly targets: readonly string[];
  readonly fields: readonly string[];
  /** One of these is nearly always there. */
  readonly always?: readonly string[];
  readonly bodies: readonly string[];
}

/** A request; well-formed where its parts are. */
export function requestOf(parts: Parts, random: Random): string {
  const method = pick(parts.methods, random);
  let lines = parts.always === undefined || once(8, random) ? "" : `${pick(parts.always, random)}\r\n`;
  for (let left = random.below(4); left > 0; left--) lines += `${pick(parts.fields, random)}\r\n`;
  if (method !== "PUT" && method !== "POST" && !once(6, random))
    return `${method} ${pick(parts.targets, random)} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`;
  const body = pick(parts.bodies, random);
  const isChunked = body !== "" && once(3, random);
  const framing = isChunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`;
  const content = isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  return `${method} ${pick(parts.targets, random)} HTTP/1.1\r\nhost: a\r\n${lines}${framing}\r\n\r\n${content}`;
}

/** Streams that smugglers send. */
export const STREAMS: readonly string[] = requestCorpus(new Random(1), 0)
  .map(({ bytes }) => bytes)
  .filter((bytes) => bytes.length < 5_000);
/** What is put into the middle of requests. */
export const INSERTS: readonly string[] = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  ":",
  ",",
  "\0",
  "\x7f",
  "\xff",
  "\xc3\xa9",
  '"',
  "\\",
  "\\u0000",
  "%00",
  "%",
  "%ff",
  "/..",
  "//",
  "?",
  "&",
  "=",
  "{",
  "}",
  "[",
  "1e999",
  "null",
  "x".repeat(300),
  "__proto__",
  "\x1b[31m",
];
