// Hot path (behind trusted proxies only): loops over characters, and one short string an address.
import { type IpRanges, ipText, ipWords, readIp } from "../core/kit/ip-address.ts";
import { authorityEnd } from "../http1/request-target.ts";
import { BACKSLASH, COMMA, HTAB, QUOTE, SP, TOKEN } from "../http1/tables.ts";

/** What one field says of the way of a request, walked from its right end. */
export class Walk {
  /** The addresses as far as they are known, canonical, the last hop last: `a, b`. */
  hops = "";
  /** The last address: whom the peer itself vouches for. */
  nearest = "";
  /** The first address from the right that is not trusted; where all are, the leftmost. */
  client = "";
  /** What the client asked for, as far as it is told. */
  scheme = "";
  host = "";
  /** Of a Forwarded field: the part that is valid. */
  kept = "";
  /** Further addresses are the word of somebody who is not trusted. */
  isClientFound = false;
  /** A hop without an address has come: what is left of it can not be told as a list of addresses. */
  isBroken = false;

  reset(): void {
    this.hops = "";
    this.nearest = "";
    this.client = "";
    this.scheme = "";
    this.host = "";
    this.kept = "";
    this.isClientFound = false;
    this.isBroken = false;
  }

  /** The next address to the left. */
  hop(address: string, isTrusted: boolean): void {
    if (this.isBroken) return;
    if (this.hops === "") this.nearest = address;
    this.hops = this.hops === "" ? address : `${address}, ${this.hops}`;
    if (!this.isClientFound) this.client = address;
    if (!isTrusted) this.isClientFound = true;
  }

  /** The next hop to the left has no address. */
  breakOff(): void {
    this.isBroken = true;
    this.isClientFound = true;
  }
}

/** Hops of one request that are looked at; more are dropped. Real ones have two or three. */
export const HOPS_MAX = 32;

/** Walks an X-Forwarded-For list. Some proxies write ports, and brackets around IPv6. */
export function walkAddresses(list: string, trusted: IpRanges, walk: Walk): void {
  walk.reset();
  let end = list.length;
  for (let hops = 0; hops < HOPS_MAX && end > 0; hops++) {
    const comma = list.lastIndexOf(",", end - 1);
    if (!readNode(trimmed(list, comma + 1, end), false)) return;
    walk.hop(ipText(WORDS), trusted.has(WORDS));
    end = comma;
  }
}

/** Walks a Forwarded list (RFC 7239 section 4). */
export function walkElements(list: string, trusted: IpRanges, walk: Walk): void {
  walk.reset();
  let end = list.length;
  for (let hops = 0; hops < HOPS_MAX && end > 0; hops++) {
    const start = elementStart(list, end);
    const isClient = !walk.isClientFound;
    if (!readElement(trimmed(list, start, end))) return;
    if (ELEMENT.kind === "address") walk.hop(ipText(WORDS), trusted.has(WORDS));
    else walk.breakOff();
    if (isClient) {
      walk.scheme = ELEMENT.scheme;
      walk.host = ELEMENT.host;
    }
    walk.kept = trimmed(list, start, list.length);
    end = start - 1;
  }
}

/** What a request can have been asked by; WebSocket's are told by some proxies. Lower case. */
export function isScheme(text: string): boolean {
  return text === "https" || text === "http" || text === "wss" || text === "ws";
}

/** 1 to 65535 without leading zeros. */
export function isPort(text: string): boolean {
  if (text.length === 0 || text.length > 5 || text.charCodeAt(0) === ZERO) return false;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return false;
  }
  return Number(text) <= 65_535;
}

/** The address that was read last. */
const WORDS = ipWords();
/** What was read last of an element; its address is in {@link WORDS}. */
const ELEMENT = { kind: "hidden" as "address" | "hidden", scheme: "", host: "" };
/** `"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"` and some. */
const NODE_LENGTH_MAX = 64;
const ZERO = 0x30;

/** `1.2.3.4`, `1.2.3.4:80`, `[::1]`, `[::1]:80` and, unless brackets are needed, `::1`. */
function readNode(node: string, needsBrackets: boolean): boolean {
  if (node.length > NODE_LENGTH_MAX) return false;
  const colon = node.lastIndexOf(":");
  if (node.startsWith("[")) {
    const close = node.indexOf("]");
    const isEnd = close === node.length - 1;
    if (!isEnd && (colon !== close + 1 || !isPort(node.slice(colon + 1)))) return false;
    return node.lastIndexOf(":", close) > 0 && readIp(node, WORDS, 1, close);
  }
  if (colon < 0) return readIp(node, WORDS);
  if (node.indexOf(":") < colon) return !needsBrackets && readIp(node, WORDS);
  return isPort(node.slice(colon + 1)) && readIp(node, WORDS, 0, colon);
}

/** Where the element begins that ends at `end`: behind the last comma that is in no quotes. */
function elementStart(list: string, end: number): number {
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at--) {
    const code = list.charCodeAt(at);
    if (code === QUOTE && !isEscaped(list, at)) isQuoted = !isQuoted;
    else if (code === COMMA && !isQuoted) return at + 1;
  }
  return 0;
}

/** An odd number of backslashes stands in front of it. */
function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (from > 0 && text.charCodeAt(from - 1) === BACKSLASH) from--;
  return (at - from) % 2 === 1;
}

/** Pairs of name and value, each name once. False when any of it is not valid. */
function readElement(element: string): boolean {
  ELEMENT.kind = "hidden";
  ELEMENT.scheme = "";
  ELEMENT.host = "";
  let names = ";";
  let at = 0;
  while (at < element.length) {
    // The RFC has no space here; many have.
    while (isSpace(element.charCodeAt(at))) at++;
    const equals = tokenEnd(element, at);
    if (equals === at || element[equals] !== "=") return false;
    const name = element.slice(at, equals).toLowerCase();
    if (names.includes(`;${name};`)) return false;
    names += `${name};`;
    const start = equals + 1;
    const isQuoted = element.charCodeAt(start) === QUOTE;
    const stop = isQuoted ? quotedEnd(element, start) : tokenEnd(element, start);
    if (stop <= start) return false;
    if (!readPair(name, isQuoted ? element.slice(start + 1, stop - 1) : element.slice(start, stop)))
      return false;
    at = stop;
    while (isSpace(element.charCodeAt(at))) at++;
    if (at < element.length && element[at] !== ";") return false;
    at++;
  }
  return names !== ";";
}

function readPair(name: string, value: string): boolean {
  switch (name) {
    case "for":
      if (readNode(value, true)) ELEMENT.kind = "address";
      else return isHidden(value);
      return true;
    case "proto":
      ELEMENT.scheme = value.toLowerCase();
      return isScheme(ELEMENT.scheme);
    case "host":
      ELEMENT.host = value.toLowerCase();
      return authorityEnd(Buffer.from(value, "latin1"), 0, value.length) === value.length;
    default:
      return true;
  }
}

/** `unknown`, or a name that its proxy made up: `_` and more (RFC 7239 section 6). */
function isHidden(node: string): boolean {
  if (node.toLowerCase() === "unknown") return true;
  return (
    node.length > 1 && node.length <= NODE_LENGTH_MAX && node[0] === "_" && tokenEnd(node, 0) === node.length
  );
}

function tokenEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** Behind the closing quote; -1 when there is none. */
function quotedEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
  return -1;
}

/** `text[start, end)` without spaces and tabs around it. */
function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}
