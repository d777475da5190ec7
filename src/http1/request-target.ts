// Hot path: `readTarget` makes two strings for a new target and none for the target of the message before.
import { isIPv6 } from "node:net";
import type { RequestHead } from "./head.ts";
import { equalsLatin1, latin1 } from "./latin1.ts";
import type { ParseError } from "./parse-error.ts";
import { PARSE_ERRORS } from "./parse-error.ts";
import { ASTERISK, COLON, HOST_IPV6, HOST_NAME, SLASH } from "./tables.ts";

/**
 * Reads the target in `head.bytes[start, end)`, whose bytes have been checked, into `head`; `queryStart`
 * is the offset of the first "?", or `end`. `head.method` is set. RFC 9112 section 3.2.
 */
export function readTarget(
  head: RequestHead,
  start: number,
  queryStart: number,
  end: number,
): ParseError | null {
  const bytes = head.bytes;
  if (head.method === "CONNECT") return readAuthorityForm(head, start, end);
  if (bytes[start] === SLASH) {
    if (head.targetForm === "origin" && head.hasTarget(start, end)) return null;
    head.target = latin1(bytes, start, end);
    head.targetForm = "origin";
    setOrigin(head, head.target, queryStart - start);
    return null;
  }
  if (bytes[start] === ASTERISK && end - start === 1) {
    if (head.method !== "OPTIONS") return PARSE_ERRORS.badTargetForm;
    head.target = "*";
    head.targetForm = "asterisk";
    setOrigin(head, "*", 1);
    return null;
  }
  return readAbsoluteForm(head, start, end);
}

/**
 * Checks `host [":" port]` in `bytes[start, end)`: a name, an IPv4 address or a bracketed IPv6 address.
 * Returns where it ends (before the colon of an empty port), or -1. Empty, userinfo, lists and
 * percent-encoding are refused: narrower than RFC 3986, where proxies and servers disagree.
 */
export function authorityEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  if (bytes[at] === 0x5b) {
    at++;
    while (at < end && HOST_IPV6[bytes[at]!] !== 0) at++;
    if (at >= end || bytes[at] !== 0x5d || !isIPv6(latin1(bytes, start + 1, at))) return -1;
    at++;
  } else {
    while (at < end && HOST_NAME[bytes[at]!] !== 0) at++;
  }
  if (at === start) return -1;
  if (at === end) return end;
  if (bytes[at] !== COLON) return -1;
  const hostEnd = at;
  let port = 0;
  for (at++; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
    if (port > 65_535) return -1;
  }
  return at === hostEnd + 1 ? hostEnd : end;
}

/** Sets `head.host` from the Host value in `head.bytes[start, end)`. */
export function readHost(head: RequestHead, start: number, end: number): ParseError | null {
  // On a kept-alive connection it is nearly always the host of the message before.
  if (end > start && equalsLatin1(head.bytes, start, end, head.host)) return null;
  const hostEnd = authorityEnd(head.bytes, start, end);
  if (hostEnd < 0) return PARSE_ERRORS.badHost;
  head.host = latin1(head.bytes, start, hostEnd).toLowerCase();
  return null;
}

function readAuthorityForm(head: RequestHead, start: number, end: number): ParseError | null {
  const hostEnd = authorityEnd(head.bytes, start, end);
  if (hostEnd !== end) return PARSE_ERRORS.badAuthority;
  head.target = latin1(head.bytes, start, end);
  // CONNECT has no default port (RFC 9110 section 9.3.6); an IPv6 literal has colons of its own.
  if (head.target.lastIndexOf(":") <= head.target.lastIndexOf("]")) return PARSE_ERRORS.badAuthority;
  head.targetForm = "authority";
  // What follows is for the tunnel; where there is none, it must not be read as requests (RFC 9931).
  head.keepAlive = false;
  head.originTarget = head.target;
  head.path = "";
  head.query = "";
  head.host = head.target.toLowerCase();
  return null;
}

function readAbsoluteForm(head: RequestHead, start: number, end: number): ParseError | null {
  const target = latin1(head.bytes, start, end);
  const schemeLength = target.indexOf("://");
  const scheme = schemeLength < 0 ? "" : target.slice(0, schemeLength).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return PARSE_ERRORS.badTargetForm;
  const authorityStart = schemeLength + 3;
  let pathStart = authorityStart;
  while (pathStart < target.length && target[pathStart] !== "/" && target[pathStart] !== "?") pathStart++;
  const hostEnd = authorityEnd(head.bytes, start + authorityStart, start + pathStart);
  if (hostEnd < 0) return PARSE_ERRORS.badAuthority;
  head.host = latin1(head.bytes, start + authorityStart, hostEnd).toLowerCase();
  head.target = target;
  head.targetForm = "absolute";
  let origin = target.slice(pathStart);
  // An empty path means "/"; for OPTIONS it means the server itself (RFC 9112 section 3.2.4).
  if (origin === "") origin = head.method === "OPTIONS" ? "*" : "/";
  else if (origin[0] === "?") origin = `/${origin}`;
  const query = origin.indexOf("?");
  setOrigin(head, origin, query < 0 ? origin.length : query);
  return null;
}

function setOrigin(head: RequestHead, origin: string, pathLength: number): void {
  head.originTarget = origin;
  if (pathLength === origin.length) {
    head.path = origin;
    head.query = "";
  } else {
    head.path = origin.slice(0, pathLength);
    head.query = origin.slice(pathLength + 1);
  }
}
