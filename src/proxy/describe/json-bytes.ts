// Hot path: comparisons.

/** Bytes by which callers tell values apart. */
export const QUOTE = 0x22;
export const OPEN_LIST = 0x5b;

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_OBJECT = 0x7b;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;

/** A number begins. */
export function canBeginNumber(byte: number): boolean {
  return byte === MINUS || (byte >= ZERO && byte <= NINE);
}

/** Any value begins. */
export function canBeginValue(byte: number): boolean {
  if (byte === QUOTE || byte === OPEN_OBJECT || byte === OPEN_LIST || canBeginNumber(byte)) return true;
  return byte === LETTER_T || byte === LETTER_F || byte === LETTER_N;
}
