// Hot path: loops over single bytes. Their constants stand here and are not exported, because one that comes
// from another module is loaded and checked in every turn of a loop: that made them three times as slow.
const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const CLOSE_LIST = 0x5d;
const BACKSLASH = 0x5c;
const CLOSE_OBJECT = 0x7d;

/** So many bytes of a text are looked at before native code searches: a call of it costs as much. */
const NEAR_BYTES = 48;
const STRIDE_BYTES_MAX = 48 * 64;

/** The first byte that is no white space, or `end`. */
export function endOfSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte !== SPACE && byte !== LINE_FEED && byte !== RETURN && byte !== TAB) break;
    at++;
  }
  return at;
}

/**
 * The quote that ends a text; `end` when it is not there, and one more when what comes next is escaped.
 * Nothing is escaped at `from`.
 */
export function endOfText(bytes: Buffer, from: number, end: number): number {
  let at = from;
  let stride = NEAR_BYTES;
  while (at < end) {
    const near = at + stride < end ? at + stride : end;
    while (at < near) {
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (at >= end) return at;
    const found = bytes.indexOf(QUOTE, at);
    const quote = found < 0 ? end : found;
    let slashes = quote;
    while (slashes > at && bytes[slashes - 1] === BACKSLASH) slashes--;
    const isEscaped = ((quote - slashes) & 1) === 1;
    if (!isEscaped) return quote;
    at = quote + 1;
    // It has found none that ends the text: in code there are many of them.
    if (stride < STRIDE_BYTES_MAX) stride *= 2;
  }
  return at;
}

/** The first backslash of a short text, or `to`. */
export function firstEscape(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== BACKSLASH) at++;
  return at;
}

/** What ends a number or literal, or `end`. */
export function endOfLiteral(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === COMMA || byte <= SPACE || byte === CLOSE_OBJECT || byte === CLOSE_LIST) break;
    at++;
  }
  return at;
}
