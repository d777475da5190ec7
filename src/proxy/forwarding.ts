// Hot path: heads are one string, built from runs of untouched lines; <= 2 microseconds a head.
import { FIELD } from "../http1/fields.ts";
import type { MessageHead, RequestHead, ResponseHead } from "../http1/head.ts";
import { statusLine } from "../http1/writer.ts";
import type { FieldEdits } from "./field-edits.ts";

/**
 * The field lines of a request that go on to a backend: all that the client sent, byte for byte, but for the
 * fields that belong to this connection (RFC 9110 7.6.1) and those that only we may set. Forwarding fields
 * are dropped: nobody vouches for a client's, and those of a trusted peer are written anew, once each.
 * `x_forwarded_for` and the like are dropped too (CVE-2026-39858). Max-Forwards of an OPTIONS is counted
 * down elsewhere. What `edits` sets comes after all, so that no `Connection` option can take it away (P3).
 */
export function requestLines(
  head: RequestHead,
  session: CookieRewrite | null,
  edits: FieldEdits | null,
): string {
  let text = "";
  let from = 0;
  for (let i = 0; i < head.count; i++) {
    const id = head.ids[i]!;
    const isOurs = id === FIELD.unknown ? isTrustField(head, i) : DROPPED_FROM_REQUEST[id] === 1;
    const isCounted = id === FIELD.maxForwards && head.method === "OPTIONS";
    const isRewritten = id === FIELD.cookie && session !== null;
    const isEdited = edits !== null && edits.drops(head, i);
    if (!isOurs && !isCounted && !isRewritten && !isEdited && !isListed(head, i, id)) continue;
    if (i > from) text += head.lines(from, i);
    if (isRewritten && !isEdited) text += session.rewriteCookie(head.valueAt(i));
    from = i + 1;
  }
  if (head.count > from) text += head.lines(from, head.count);
  if (head.isChunked) text += "transfer-encoding: chunked\r\n";
  return edits === null ? text : text + edits.lines;
}

/** Takes our session cookie out of a Cookie value; returns the line with its CRLF, or "". */
export interface CookieRewrite {
  rewriteCookie(value: string): string;
}

/**
 * The status line and the field lines of a response that go on to the client, without the empty line.
 * `hidesLoad`: its load report was asked for by us.
 */
export function responseLines(
  head: ResponseHead,
  isChunkedToClient: boolean,
  edits: FieldEdits | null,
  hidesLoad: boolean,
): string {
  let text = statusLine(head.status);
  let from = 0;
  for (let i = 0; i < head.count; i++) {
    const id = head.ids[i]!;
    const isOurs = id === FIELD.unknown ? isEvenerField(head, i) : DROPPED_FROM_RESPONSE[id] === 1;
    // Where there is no body there is no length of it (RFC 9110 8.6).
    const isVoid = id === FIELD.contentLength && (head.status === 204 || head.status === 205);
    const isHidden = hidesLoad && id === FIELD.endpointLoadMetrics;
    const isEdited = edits !== null && edits.drops(head, i);
    if (!isOurs && !isVoid && !isHidden && !isEdited && !isListed(head, i, id)) continue;
    if (i > from) text += head.lines(from, i);
    from = i + 1;
  }
  if (head.count > from) text += head.lines(from, head.count);
  if (isChunkedToClient) text += "transfer-encoding: chunked\r\n";
  if (edits !== null) text += edits.lines;
  // Without it a 205 would last until the connection closes (RFC 9110 15.3.6, RFC 9112 6.3).
  return head.status === 205 ? `${text}content-length: 0\r\n` : text;
}

/** The lines of an interim response that go on to the client: not those of its connection, nor lengths. */
export function interimLines(head: ResponseHead): string {
  let text = statusLine(head.status);
  for (let i = 0; i < head.count; i++) {
    const id = head.ids[i]!;
    const isOurs = id === FIELD.unknown ? isEvenerField(head, i) : DROPPED_FROM_RESPONSE[id] === 1;
    if (isOurs || id === FIELD.contentLength || isListed(head, i, id)) continue;
    text += head.lines(i, i + 1);
  }
  return text;
}

/**
 * Connection names this field: it is for us only. Fields that matter end to end can not be named away (P3).
 */
function isListed(head: MessageHead, index: number, id: number): boolean {
  if (head.connectionOptions === null || KEPT[id] === 1) return false;
  return head.connectionOptions.includes(head.nameAt(index).toLowerCase());
}

/** An unknown field that only we may set, or that looks to some server ("_" for "-") like one of those. */
function isTrustField(head: MessageHead, index: number): boolean {
  const start = head.spans[4 * index]!;
  const end = head.spans[4 * index + 1]!;
  const { bytes } = head;
  let hasUnderscore = false;
  for (let at = start; at < end; at++) if (bytes[at] === UNDERSCORE) hasUnderscore = true;
  if (!hasUnderscore && (bytes[start]! | 0x20) !== LETTER_X) return false;
  const name = head.nameAt(index).toLowerCase().replaceAll("_", "-");
  if (name.startsWith(FORWARDED_PREFIX) || name.startsWith(EVENER_PREFIX)) return true;
  return hasUnderscore && TRUSTED_NAMES.has(name);
}

function isEvenerField(head: MessageHead, index: number): boolean {
  const start = head.spans[4 * index]!;
  if (head.spans[4 * index + 1]! - start < EVENER_PREFIX.length) return false;
  if ((head.bytes[start]! | 0x20) !== LETTER_X) return false;
  return head.nameAt(index).slice(0, EVENER_PREFIX.length).toLowerCase() === EVENER_PREFIX;
}

const EVENER_PREFIX = "x-evener-";
const FORWARDED_PREFIX = "x-forwarded-";
const LETTER_X = 0x78;
const UNDERSCORE = 0x5f;
const TRUSTED_NAMES: ReadonlySet<string> = new Set(["forwarded", "x-real-ip", "x-request-id", "via"]);

const DROPPED_FROM_REQUEST: Uint8Array = marks([
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.te,
  FIELD.transferEncoding,
  FIELD.upgrade,
  FIELD.expect,
  FIELD.proxyAuthorization,
  FIELD.forwarded,
  FIELD.xForwardedFor,
  FIELD.xForwardedProto,
  FIELD.xForwardedHost,
  FIELD.xForwardedPort,
  FIELD.xForwardedPrefix,
  FIELD.xForwardedServer,
  FIELD.xRealIp,
  FIELD.xRequestId,
  FIELD.traceparent,
  FIELD.host,
]);

const DROPPED_FROM_RESPONSE: Uint8Array = marks([
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.te,
  FIELD.transferEncoding,
  FIELD.upgrade,
  FIELD.xRequestId,
]);

/** A `Connection` option never removes these. */
const KEPT: Uint8Array = marks([
  FIELD.host,
  FIELD.contentLength,
  FIELD.contentType,
  FIELD.contentEncoding,
  FIELD.authorization,
  FIELD.cookie,
  FIELD.setCookie,
  FIELD.cacheControl,
  FIELD.date,
  FIELD.traceparent,
  FIELD.tracestate,
  FIELD.via,
  FIELD.xApiKey,
  FIELD.idempotencyKey,
  FIELD.secWebsocketKey,
  FIELD.secWebsocketVersion,
]);

function marks(ids: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const id of ids) table[id] = 1;
  return table;
}
