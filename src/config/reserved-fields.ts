/**
 * Header names that a route may not touch, with what to say about it; undefined for all others. With "_" for
 * "-" a name is the same to some servers, and so to us.
 */
export function reservedInRequests(name: string): string | undefined {
  const plain = name.toLowerCase().replaceAll("_", "-");
  if (plain === "host") return `write "rewrite: { host: ... }" instead`;
  if (CONNECTION_FIELDS.has(plain)) return OF_THE_CONNECTION;
  if (plain.startsWith("x-forwarded-") || plain.startsWith("x-evener-")) return OF_TRUST;
  return TRUST_FIELDS.has(plain) ? OF_TRUST : undefined;
}

/** The same for answers. */
export function reservedInResponses(name: string): string | undefined {
  const plain = name.toLowerCase().replaceAll("_", "-");
  if (CONNECTION_FIELDS.has(plain)) return OF_THE_CONNECTION;
  if (plain === "date" || plain === "x-request-id" || plain.startsWith("x-evener-")) return OF_ANSWERS;
  return undefined;
}

const OF_THE_CONNECTION = "belongs to the message's framing or its connection, which is Evener's; remove it";
const OF_TRUST = "tells backends what they may believe, and is Evener's to write; remove it";
const OF_ANSWERS = "is Evener's to write on answers; remove it";

const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "--proto--",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const TRUST_FIELDS: ReadonlySet<string> = new Set([
  "forwarded",
  "traceparent",
  "via",
  "x-real-ip",
  "x-request-id",
]);
