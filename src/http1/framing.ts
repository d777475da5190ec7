// Hot path: one pass over the field numbers of a head; only the few fields that frame a message are read.
import { DECEPTIVE_FIELD_MIN, FIELD, equalsFolded, foldedBytes } from "./fields.ts";
import type { MessageHead, RequestHead, ResponseHead } from "./head.ts";
import { latin1 } from "./latin1.ts";
import { CONNECTION_OPTIONS_MAX } from "./limits.ts";
import type { ParseError } from "./parse-error.ts";
import { PARSE_ERRORS } from "./parse-error.ts";
import { authorityEnd, readHost } from "./request-target.ts";
import { COMMA, HTAB, SP, TOKEN } from "./tables.ts";

/** Reads what the fields of a request say about host, framing and connection; null when all is well. */
export function readRequestFields(head: RequestHead): ParseError | null {
  let hostIndex = -1;
  let isUpgrade = false;
  for (let i = 0; i < head.count; i++) {
    const id = head.ids[i]!;
    let error: ParseError | null = null;
    switch (id) {
      case FIELD.unknown:
        continue;
      case FIELD.host:
        if (hostIndex >= 0) return PARSE_ERRORS.manyHosts;
        hostIndex = i;
        break;
      case FIELD.contentLength:
        error = readContentLength(head, i);
        break;
      case FIELD.transferEncoding:
        error = readTransferEncoding(head, i);
        break;
      case FIELD.connection:
        error = readConnection(head, i);
        break;
      case FIELD.expect:
        error = readExpect(head, i);
        break;
      case FIELD.upgrade:
        isUpgrade = true;
        break;
      default:
        if (id >= DECEPTIVE_FIELD_MIN) return PARSE_ERRORS.deceptiveName;
    }
    if (error !== null) return error;
  }
  const error = readHostField(head, hostIndex) ?? checkFraming(head);
  if (error !== null) return error;
  head.framing = head.isChunked ? "chunked" : head.contentLength > 0 ? "length" : "none";
  // Nothing to wait for: without content a 100 would only confuse (RFC 9110 section 10.1.1).
  if (head.framing === "none") head.expectsContinue = false;
  if (isUpgrade && head.minorVersion === 1 && head.hasConnectionOption("upgrade")) readUpgrade(head);
  return null;
}

/** Reads what the fields of a response to a `requestMethod` say about framing and connection. */
export function readResponseFields(head: ResponseHead, requestMethod: string): ParseError | null {
  for (let i = 0; i < head.count; i++) {
    const id = head.ids[i]!;
    let error: ParseError | null = null;
    if (id === FIELD.contentLength) error = readContentLength(head, i);
    else if (id === FIELD.transferEncoding) error = readTransferEncoding(head, i);
    else if (id === FIELD.connection) error = readConnection(head, i);
    else if (id >= DECEPTIVE_FIELD_MIN) error = PARSE_ERRORS.deceptiveName;
    if (error !== null) return error;
  }
  const error = checkFraming(head);
  if (error !== null) return error;
  const status = head.status;
  if (status < 200 || status === 204 || status === 205) {
    head.framing = "none";
    // It has no body (RFC 9110 sections 8.6, 15.3.6); one that says or implies a length may go on to send it.
    const isBodyLikely = head.isChunked || head.contentLength > 0;
    if (isBodyLikely || (status === 205 && head.contentLength < 0)) head.keepAlive = false;
  } else if (status === 304 || requestMethod === "HEAD") {
    head.framing = "none";
  } else if (requestMethod === "CONNECT" && status < 300) {
    head.framing = "none";
  } else if (head.isChunked) {
    head.framing = "chunked";
  } else if (head.contentLength >= 0) {
    head.framing = head.contentLength === 0 ? "none" : "length";
  } else {
    head.framing = "close";
    head.keepAlive = false;
  }
  return null;
}

/** Faulty combinations (RFC 9112 section 6.1); HTTP/1.0 is never kept alive by a proxy (section 9.3). */
function checkFraming(head: MessageHead): ParseError | null {
  if (head.isChunked) {
    if (head.contentLength >= 0) return PARSE_ERRORS.lengthAndCoding;
    if (head.minorVersion === 0) return PARSE_ERRORS.oldCoding;
  }
  if (head.minorVersion === 0) head.keepAlive = false;
  return null;
}

function readContentLength(head: MessageHead, index: number): ParseError | null {
  // Equal duplicates may be merged (RFC 9110 section 8.6); refusing them leaves nothing to disagree on.
  if (head.contentLength >= 0) return PARSE_ERRORS.manyLengths;
  const bytes = head.bytes;
  const end = head.spans[4 * index + 3]!;
  let at = head.spans[4 * index + 2]!;
  // 16 digits can not overflow a double, and the check below refuses what is not exact.
  if (at === end || end - at > 16) return PARSE_ERRORS.badLength;
  // Zeros in front are valid, but some servers read octal then: blanked, as the line is passed on as it is.
  while (at < end - 1 && bytes[at] === ZERO) bytes[at++] = SP;
  head.spans[4 * index + 2] = at;
  let length = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return PARSE_ERRORS.badLength;
    length = length * 10 + digit;
  }
  if (length > Number.MAX_SAFE_INTEGER) return PARSE_ERRORS.badLength;
  head.contentLength = length;
  return null;
}

function readTransferEncoding(head: MessageHead, index: number): ParseError | null {
  if (head.isChunked) return PARSE_ERRORS.badCoding;
  const start = head.spans[4 * index + 2]!;
  const end = head.spans[4 * index + 3]!;
  if (end - start !== CHUNKED.length || !equalsFolded(head.bytes, start, CHUNKED)) {
    return wrongCoding(head.valueAt(index));
  }
  head.isChunked = true;
  return null;
}

/** Which refusal a Transfer-Encoding other than `chunked` deserves. */
function wrongCoding(value: string): ParseError {
  const codings = value.toLowerCase().split(",");
  const first = codings.findIndex((coding) => coding.trim() === "chunked");
  const isList = codings.every((coding) => /^[ \t]*[!#$%&'*+\-.^_`|~0-9a-z]+[ \t]*$/u.test(coding));
  const isFinal = first < 0 || first === codings.length - 1;
  return isList && isFinal ? PARSE_ERRORS.otherCoding : PARSE_ERRORS.badCoding;
}

function readConnection(head: MessageHead, index: number): ParseError | null {
  const bytes = head.bytes;
  const end = head.spans[4 * index + 3]!;
  let at = head.spans[4 * index + 2]!;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === COMMA || byte === SP || byte === HTAB) {
      at++;
      continue;
    }
    const start = at;
    while (at < end && TOKEN[bytes[at]!] !== 0) at++;
    if (at === start) return PARSE_ERRORS.badConnection;
    const tokenEnd = at;
    while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    if (at < end && bytes[at] !== COMMA) return PARSE_ERRORS.badConnection;
    if (!addConnectionOption(head, start, tokenEnd)) return PARSE_ERRORS.badConnection;
  }
  return null;
}

function addConnectionOption(head: MessageHead, start: number, end: number): boolean {
  const length = end - start;
  if (length === KEEP_ALIVE.length && equalsFolded(head.bytes, start, KEEP_ALIVE)) return true;
  if (length === CLOSE.length && equalsFolded(head.bytes, start, CLOSE)) {
    head.keepAlive = false;
    return true;
  }
  const option = latin1(head.bytes, start, end).toLowerCase();
  if (head.connectionOptions === null) head.connectionOptions = [option];
  else head.connectionOptions.push(option);
  return head.connectionOptions.length <= CONNECTION_OPTIONS_MAX;
}

function readExpect(head: RequestHead, index: number): ParseError | null {
  // HTTP/1.0 knows no expectations: ignored (RFC 9110 section 10.1.1).
  if (head.minorVersion === 0) return null;
  const start = head.spans[4 * index + 2]!;
  const length = head.spans[4 * index + 3]! - start;
  if (length !== CONTINUE.length || !equalsFolded(head.bytes, start, CONTINUE)) {
    return PARSE_ERRORS.otherExpectation;
  }
  head.expectsContinue = true;
  return null;
}

function readHostField(head: RequestHead, index: number): ParseError | null {
  const isOrigin = head.targetForm === "origin" || head.targetForm === "asterisk";
  if (index < 0) {
    if (head.minorVersion === 1) return PARSE_ERRORS.noHost;
    if (isOrigin) head.host = "";
    return null;
  }
  const start = head.spans[4 * index + 2]!;
  const end = head.spans[4 * index + 3]!;
  if (isOrigin) return readHost(head, start, end);
  // The authority of the target wins (RFC 9112 section 3.2.2), but a broken Host is still refused.
  return authorityEnd(head.bytes, start, end) < 0 ? PARSE_ERRORS.badHost : null;
}

function readUpgrade(head: RequestHead): void {
  let upgrade = "";
  for (let i = 0; i < head.count; i++) {
    if (head.ids[i] !== FIELD.upgrade) continue;
    upgrade = upgrade === "" ? head.valueAt(i) : `${upgrade}, ${head.valueAt(i)}`;
  }
  head.upgrade = upgrade === "" ? null : upgrade;
}

const ZERO = 0x30;
const CHUNKED = foldedBytes("chunked");
const CLOSE = foldedBytes("close");
const KEEP_ALIVE = foldedBytes("keep-alive");
const CONTINUE = foldedBytes("100-continue");
