// Hot path: once per field line; one table load, then one comparison per name of that length and letter.

/** Numbers of the field names that Evener reads or rewrites; every other name is `FIELD.unknown` (0). */
export const FIELD = {
  unknown: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  expect: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  keepAlive: 9,
  proxyConnection: 10,
  via: 11,
  forwarded: 12,
  xForwardedFor: 13,
  xForwardedProto: 14,
  xForwardedHost: 15,
  xForwardedPort: 16,
  xRealIp: 17,
  xRequestId: 18,
  traceparent: 19,
  tracestate: 20,
  authorization: 21,
  proxyAuthorization: 22,
  proxyAuthenticate: 23,
  wwwAuthenticate: 24,
  cookie: 25,
  setCookie: 26,
  retryAfter: 27,
  date: 28,
  server: 29,
  contentType: 30,
  contentEncoding: 31,
  contentRange: 32,
  acceptEncoding: 33,
  cacheControl: 34,
  maxForwards: 35,
  range: 36,
  accept: 37,
  userAgent: 38,
  location: 39,
  age: 40,
  expires: 41,
  pragma: 42,
  vary: 43,
  proxyStatus: 44,
  ifMatch: 45,
  ifNoneMatch: 46,
  ifModifiedSince: 47,
  ifUnmodifiedSince: 48,
  ifRange: 49,
  xForwardedPrefix: 50,
  xApiKey: 51,
  origin: 52,
  secWebsocketKey: 53,
  secWebsocketVersion: 54,
  proxyAuthenticationInfo: 55,
  lastModified: 56,
  etag: 57,
  xForwardedServer: 58,
  idempotencyKey: 59,
  endpointLoadMetrics: 60,
  endpointLoadMetricsFormat: 61,
} as const;

/**
 * Names that some server reads as a framing field, or that poison a plain object: never valid. Their
 * numbers follow those of {@link FIELD}, from {@link DECEPTIVE_FIELD_MIN} on.
 */
const DECEPTIVE_NAMES = ["transfer_encoding", "content_length", "__proto__"];

/** Lower-case name of each {@link FIELD} number; index 0 is "". */
export const FIELD_NAMES: readonly string[] = [...fieldNames(), ...DECEPTIVE_NAMES];

/** A field with this number or a higher one must be refused. */
export const DECEPTIVE_FIELD_MIN: number = FIELD_NAMES.length - DECEPTIVE_NAMES.length;

const NAME_BYTES_MAX = 31;
const NAMES: readonly Uint8Array[] = FIELD_NAMES.map(foldedBytes);
const IDS: ReadonlyMap<string, number> = new Map(FIELD_NAMES.map((name, id) => [name, id]));
/** First candidate by (length, low 5 bits of the first letter); the others follow in NEXT. */
const FIRST = new Uint8Array((NAME_BYTES_MAX + 1) * 32);
const NEXT = new Uint8Array(FIELD_NAMES.length);

for (let id = 1; id < FIELD_NAMES.length; id++) {
  const name = NAMES[id]!;
  const slot = name.length * 32 + (name[0]! & 31);
  NEXT[id] = FIRST[slot]!;
  FIRST[slot] = id;
}

/** The {@link FIELD} number of the name in `bytes[start, end)` (valid token bytes), any case; 0 = unknown. */
export function fieldId(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > NAME_BYTES_MAX) return 0;
  let id = FIRST[length * 32 + (bytes[start]! & 31)]!;
  while (id !== 0 && !equalsFolded(bytes, start, NAMES[id]!)) id = NEXT[id]!;
  return id;
}

/** The {@link FIELD} number of a lower-case name; 0 = unknown. */
export function fieldIdOf(lowerCaseName: string): number {
  return IDS.get(lowerCaseName) ?? 0;
}

/** Whether the token bytes from `start` equal `folded` in any case; the caller has compared the lengths. */
export function equalsFolded(bytes: Uint8Array, start: number, folded: Uint8Array): boolean {
  const length = folded.length;
  for (let i = 0; i < length; i++) {
    if ((bytes[start + i]! | 0x20) !== folded[i]!) return false;
  }
  return true;
}

/**
 * A token with bit 5 of every byte set, for {@link equalsFolded}: that lowers letters, keeps "-" and
 * digits, and maps no other token byte onto any of these.
 */
export function foldedBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) bytes[i] = token.charCodeAt(i) | 0x20;
  return bytes;
}

function fieldNames(): string[] {
  const names: string[] = [];
  for (const [key, id] of Object.entries(FIELD)) {
    names[id] = id === 0 ? "" : key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  }
  return names;
}
