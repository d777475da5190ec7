// A second reading of HTTP/1.1, for tests: plain regular expressions over strings, slow on purpose, and not a
// line in common with src/http1. What both read in the same way can not be read in two ways by accident.

import { isIPv6 } from "node:net";
import { DEFAULT_LIMITS } from "../../../src/http1/limits.ts";

/** A whole message. */
export interface Message {
  readonly kind: "message";
  readonly startLine: string;
  readonly minorVersion: number;
  readonly fields: readonly Field[];
  /** Without chunk framing. */
  readonly body: string;
  readonly trailers: readonly Field[];
  /** Offset behind it. */
  readonly end: number;
  readonly keepAlive: boolean;
}

/** Lower-case name, value without the whitespace around it. */
export type Field = readonly [name: string, value: string];

/** What can not be a message, whatever follows. `startLine` is there when the head was fine, but not the body. */
export interface Refusal {
  readonly kind: "refused";
  readonly why: string;
  readonly startLine: string;
}

/** What may become a message. `startLine` is there when the head is complete. */
export interface Beginning {
  readonly kind: "incomplete";
  readonly startLine: string;
}

/** What a reader finds. */
export type Reading = Message | Refusal | Beginning;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const VALUE = "[\\t\\x20-\\x7e\\x80-\\xff]";
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*(${VALUE}*?)[ \\t]*$`);
const RESPONSE_FIELD_LINE = new RegExp(`^(${TOKEN})[ \\t]*:[ \\t]*(${VALUE}*?)[ \\t]*$`);
const AUTHORITY = "(?:[-._~0-9A-Za-z]+|\\[[0-9A-Fa-f:.]+\\])(?::(\\d*))?";
const PATH = '[^\\x00-\\x20"#<>?\\\\\\x7f-\\xff]*';
const QUERY = '(?:\\?[^\\x00-\\x20"#<>\\x7f-\\xff]*)?';
const ORIGIN_FORM = new RegExp(`^/${PATH}${QUERY}$`);
const ABSOLUTE_FORM = new RegExp(`^https?://(${AUTHORITY})((?:/${PATH})?${QUERY})$`, "i");
const HOST = new RegExp(`^${AUTHORITY}$`);
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([^ ]+) HTTP/1\\.(\\d)$`);
const STATUS_LINE = new RegExp(`^HTTP/1\\.(\\d) ([1-5]\\d\\d)(?: ${VALUE}*)?$`);
const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]{1,16})((?:;${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*)$`);
const DECEPTIVE = new Set(["transfer_encoding", "content_length", "__proto__"]);

/** The request that begins at `from`. */
export function readRequest(text: string, from: number): Reading {
  let start = from;
  for (let i = 0; i < 2 && text.startsWith("\r\n", start); i++) start += 2;
  const head = readHead(text, start, FIELD_LINE);
  if (head.kind !== "head") return head;
  const { fields, startLine } = head;
  const [, method, target, minor] = REQUEST_LINE.exec(startLine) ?? [];
  if (method === undefined || method.length > 32) return refused("request line");
  const isOld = minor === "0";
  const problem = requestProblem(method, target!, isOld, fields) ?? framingProblem(fields, isOld) ?? null;
  if (problem !== null) return refused(problem);
  const keepAlive = !isOld && !options(fields)!.includes("close");
  return readBody(text, head, { minorVersion: isOld ? 0 : 1, keepAlive, framing: framingOf(fields) });
}

/** The response to a `method` that begins at `from`; `hasEnded`: nothing follows `text`. */
export function readResponse(text: string, from: number, method: string, hasEnded: boolean): Reading {
  const head = readHead(text, from, RESPONSE_FIELD_LINE);
  if (head.kind !== "head") return head;
  const { fields, startLine } = head;
  const [, minor, digits] = STATUS_LINE.exec(startLine) ?? [];
  if (digits === undefined) return refused("status line");
  const isOld = minor === "0";
  const problem = framingProblem(fields, isOld) ?? (options(fields) === null ? "connection" : null);
  if (problem !== null) return refused(problem);
  const status = Number(digits);
  const isBare = status < 200 || status === 204 || status === 205 || status === 304 || method === "HEAD";
  const framing = isBare ? 0 : framingOf(fields);
  const hasFraming =
    valuesOf(fields, "content-length").length + valuesOf(fields, "transfer-encoding").length > 0;
  const keepAlive = !isOld && !options(fields)!.includes("close");
  if (isBare || hasFraming) {
    return readBody(text, head, { minorVersion: isOld ? 0 : 1, keepAlive, framing });
  }
  if (!hasEnded) return { kind: "incomplete", startLine };
  const body = text.slice(head.end);
  return { ...whole(head, isOld ? 0 : 1, false), body, trailers: [], end: text.length };
}

/** Method and origin target (RFC 9112 section 3.2) of a request line that was read. */
export function targetOf(startLine: string): { method: string; target: string; host: string | null } {
  const [, method, target] = REQUEST_LINE.exec(startLine)!;
  const absolute = ABSOLUTE_FORM.exec(target!);
  if (absolute === null || method === "CONNECT") return { method: method!, target: target!, host: null };
  const rest = absolute[3]!;
  const empty = method === "OPTIONS" ? "*" : "/";
  return {
    method: method!,
    target: rest === "" ? empty : rest.startsWith("?") ? `/${rest}` : rest,
    host: absolute[1]!.toLowerCase().replace(/:$/, ""),
  };
}

/** Status of a status line that was read. */
export function statusOf(startLine: string): number {
  return Number(STATUS_LINE.exec(startLine)![2]);
}

/** All values of that lower-case name. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([each]) => each === name).map(([, value]) => value);
}

interface Head {
  readonly kind: "head";
  readonly startLine: string;
  readonly fields: readonly Field[];
  /** How its fields were written, and so its trailers must be. */
  readonly fieldLine: RegExp;
  readonly end: number;
}

function readHead(text: string, from: number, fieldLine: RegExp): Head | Refusal | Beginning {
  const start = readLine(text, from);
  if (typeof start === "string") return unfinished(start);
  const lines = readFields(text, start.end, fieldLine);
  if (lines.kind !== "fields") return lines;
  return { kind: "head", startLine: start.line, fields: lines.fields, fieldLine, end: lines.end };
}

function readFields(
  text: string,
  from: number,
  fieldLine: RegExp,
): { kind: "fields"; fields: Field[]; end: number } | Refusal | Beginning {
  const fields: Field[] = [];
  let at = from;
  for (;;) {
    const next = readLine(text, at);
    if (typeof next === "string") return unfinished(next);
    at = next.end;
    if (next.line === "") return { kind: "fields", fields, end: at };
    const match = fieldLine.exec(next.line);
    if (match === null) return refused("field line");
    fields.push([match[1]!.toLowerCase(), match[2]!]);
    if (fields.length > DEFAULT_LIMITS.headerCountMax) return refused("many fields");
    if (at - from > DEFAULT_LIMITS.headerBytesMax) return refused("long fields");
  }
}

/** A line without its CRLF; "bad" when none can come of it, "incomplete" when it may. */
function readLine(text: string, from: number): { line: string; end: number } | "bad" | "incomplete" {
  const end = text.indexOf("\n", from);
  const line = text.slice(from, end < 0 ? text.length : end);
  if (end >= 0 && !line.endsWith("\r")) return "bad";
  const content = line.replace(/\r$/, "");
  if (!/^[\t -~\x80-\xff]*$/.test(content)) return "bad";
  return end < 0 ? "incomplete" : { line: content, end: end + 1 };
}

function unfinished(state: "bad" | "incomplete"): Refusal | Beginning {
  return state === "bad" ? refused("line") : { kind: "incomplete", startLine: "" };
}

function refused(why: string, startLine = ""): Refusal {
  return { kind: "refused", why, startLine };
}

function requestProblem(
  method: string,
  target: string,
  isOld: boolean,
  fields: readonly Field[],
): string | null {
  if (!isTarget(method, target)) return "target";
  const hosts = valuesOf(fields, "host");
  if (hosts.length > 1 || (hosts.length === 0 && !isOld)) return "number of Hosts";
  if (hosts.length === 1 && !isHost(hosts[0]!)) return "Host";
  const named = options(fields);
  if (named === null || named.filter((option) => !/^(?:close|keep-alive)$/.test(option)).length > 32) {
    return "Connection";
  }
  const expectations = isOld ? [] : valuesOf(fields, "expect");
  return expectations.every((value) => value.toLowerCase() === "100-continue") ? null : "Expect";
}

function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return isHost(target) && /:\d+$/.test(target);
  if (target === "*") return method === "OPTIONS";
  if (ORIGIN_FORM.test(target)) return true;
  const absolute = ABSOLUTE_FORM.exec(target);
  return absolute !== null && isHost(absolute[1]!);
}

function isHost(text: string): boolean {
  const match = HOST.exec(text);
  if (match === null || Number(match[1] ?? 0) > 65_535) return false;
  return !text.startsWith("[") || isIPv6(text.slice(1, text.indexOf("]")));
}

/** Lower-case options of all Connection fields; null when one is not a list of tokens. */
function options(fields: readonly Field[]): string[] | null {
  const elements = valuesOf(fields, "connection")
    .join(",")
    .split(",")
    .map((element) => element.replaceAll(/^[ \t]+|[ \t]+$/g, ""))
    .filter((element) => element !== "");
  const isList = elements.every((element) => new RegExp(`^${TOKEN}$`).test(element));
  return isList ? elements.map((element) => element.toLowerCase()) : null;
}

function framingProblem(fields: readonly Field[], isOld: boolean): string | null {
  if (fields.some(([name]) => DECEPTIVE.has(name))) return "deceptive name";
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) return "more than one length or coding";
  if (codings.length === 1 && (isOld || codings[0]!.toLowerCase() !== "chunked")) return "coding";
  if (lengths.length === 0) return null;
  const isNumber = /^\d{1,16}$/.test(lengths[0]!) && Number(lengths[0]!) <= Number.MAX_SAFE_INTEGER;
  return isNumber ? null : "length";
}

/** A length, or "chunked". */
function framingOf(fields: readonly Field[]): number | "chunked" {
  if (valuesOf(fields, "transfer-encoding").length > 0) return "chunked";
  return Number(valuesOf(fields, "content-length")[0] ?? 0);
}

interface Body {
  readonly minorVersion: number;
  readonly keepAlive: boolean;
  readonly framing: number | "chunked";
}

function readBody(text: string, head: Head, { framing, minorVersion, keepAlive }: Body): Reading {
  if (framing === "chunked") return readChunks(text, head, minorVersion, keepAlive);
  const end = head.end + framing;
  if (end > text.length) return { kind: "incomplete", startLine: head.startLine };
  return { ...whole(head, minorVersion, keepAlive), body: text.slice(head.end, end), trailers: [], end };
}

function readChunks(text: string, head: Head, minorVersion: number, keepAlive: boolean): Reading {
  const { startLine } = head;
  let body = "";
  let at = head.end;
  let extensionBytes = 0;
  for (;;) {
    const next = readLine(text, at);
    if (typeof next === "string") return { ...unfinished(next), startLine };
    const match = CHUNK_LINE.exec(next.line);
    const size = Number.parseInt(match?.[1] ?? "", 16);
    if (match === null || size > Number.MAX_SAFE_INTEGER) return refused("chunk line", startLine);
    extensionBytes += match[2]!.length;
    if (extensionBytes > DEFAULT_LIMITS.chunkExtensionBytesMax) return refused("extensions", startLine);
    at = next.end;
    if (size === 0) break;
    body += text.slice(at, at + size);
    const spill = text.slice(at + size, at + size + 2);
    at += size + 2;
    if (!"\r\n".startsWith(spill)) return refused("chunk spills", startLine);
    if (at > text.length) return { kind: "incomplete", startLine };
  }
  const lines = readFields(text, at, head.fieldLine);
  if (lines.kind !== "fields") return { ...lines, startLine };
  return { ...whole(head, minorVersion, keepAlive), body, trailers: lines.fields, end: lines.end };
}

function whole(
  { startLine, fields }: Head,
  minorVersion: number,
  keepAlive: boolean,
): Pick<Message, "kind" | "startLine" | "fields" | "minorVersion" | "keepAlive"> {
  return { kind: "message", startLine, fields, minorVersion, keepAlive };
}
