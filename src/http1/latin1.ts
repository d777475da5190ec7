// Hot path: one native call per string made; a comparison allocates nothing.

/** The bytes `[start, end)` as a string, one character a byte. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return start === end ? "" : (bytes as Latin1Buffer).latin1Slice(start, end);
}

/** Whether the bytes `[start, end)` are the characters of `text`, case included. */
export function equalsLatin1(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  const length = end - start;
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[start + i]! !== text.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * The same text in one piece. The engine keeps what was concatenated in parts, and walks over them at every
 * write: for texts that are kept and written many times.
 */
export function inOnePiece(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}

/** `Buffer.toString("latin1")` without the choice of the encoding (in Node since 0.x, not in its types). */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
}
