import { DECEPTIVE_FIELD_MIN, FIELD } from "./fields.ts";
import { MessageHead } from "./head.ts";
import type { MessageSide } from "./head-parser.ts";
import { HeadParser } from "./head-parser.ts";
import type { Http1Limits } from "./limits.ts";
import type { ParseError } from "./parse-error.ts";

/** Parser of a trailer section (RFC 9112 section 7.1.2), the empty line at its end included. */
export class TrailerParser extends HeadParser<MessageHead> {
  constructor(limits: Http1Limits, side: MessageSide) {
    super(new MessageHead(), limits, side, limits.trailerBytesMax);
  }

  /**
   * The lines that may be passed on, each with its CRLF; "" when there are none. `hopByHop` are lower-case
   * names that may not.
   */
  permittedLines(hopByHop: readonly string[] | null): string {
    const head = this.head;
    let lines = "";
    for (let i = 0; i < head.count; i++) {
      const id = head.ids[i]!;
      if (FORBIDDEN[id] === 1 || id >= DECEPTIVE_FIELD_MIN) continue;
      const name = head.nameAt(i);
      if (hopByHop !== null && hopByHop.includes(name.toLowerCase())) continue;
      // Some servers read "_" as "-": a name with it could be any of the forbidden ones.
      if (!name.includes("_") && !TRUST_PREFIX.test(name)) lines += `${name}: ${head.valueAt(i)}\r\n`;
    }
    return lines;
  }

  protected override scanStartLine(bytes: Buffer, end: number): number {
    return this.beginFields(bytes, this.at, end);
  }

  protected override finish(): ParseError | null {
    return null;
  }

  protected override rebase(): void {
    // There is no start line.
  }
}

/** Names that only the proxy itself may set. */
const TRUST_PREFIX = /^x-(?:forwarded|evener)-/i;

/** Framing, routing, authentication, modifiers, content (RFC 9110 section 6.5.1), and trust fields. */
const FORBIDDEN = new Uint8Array(256);
const FORBIDDEN_IDS: readonly number[] = [
  FIELD.contentLength,
  FIELD.transferEncoding,
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.te,
  FIELD.trailer,
  FIELD.upgrade,
  FIELD.expect,
  FIELD.host,
  FIELD.maxForwards,
  FIELD.via,
  FIELD.authorization,
  FIELD.proxyAuthorization,
  FIELD.proxyAuthenticate,
  FIELD.wwwAuthenticate,
  FIELD.proxyAuthenticationInfo,
  FIELD.cookie,
  FIELD.setCookie,
  FIELD.xApiKey,
  FIELD.origin,
  FIELD.forwarded,
  FIELD.xForwardedFor,
  FIELD.xForwardedProto,
  FIELD.xForwardedHost,
  FIELD.xForwardedPort,
  FIELD.xForwardedPrefix,
  FIELD.xForwardedServer,
  FIELD.xRealIp,
  FIELD.xRequestId,
  FIELD.cacheControl,
  FIELD.pragma,
  FIELD.age,
  FIELD.expires,
  FIELD.date,
  FIELD.location,
  FIELD.vary,
  FIELD.retryAfter,
  FIELD.range,
  FIELD.ifMatch,
  FIELD.ifNoneMatch,
  FIELD.ifModifiedSince,
  FIELD.ifUnmodifiedSince,
  FIELD.ifRange,
  FIELD.contentType,
  FIELD.contentEncoding,
  FIELD.contentRange,
  FIELD.idempotencyKey,
  FIELD.secWebsocketKey,
  FIELD.secWebsocketVersion,
  FIELD.proxyStatus,
];
for (const id of FORBIDDEN_IDS) FORBIDDEN[id] = 1;
