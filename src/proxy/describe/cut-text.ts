// Hot path: copies a short text only where a piece of the body ends within it.

/** A text or literal of more bytes counts as one that nobody wants. */
export const SHORT_BYTES_MAX = 1024;

/** A short text whose bytes came in several pieces. */
export class CutText {
  /** Made when the first text is cut: most bodies come in one piece. */
  #bytes: Buffer | null = null;
  length = 0;

  get bytes(): Buffer {
    return this.#bytes!;
  }

  /** One byte more than may be is kept, which tells that it is too long. */
  add(bytes: Buffer, from: number, to: number): void {
    this.#bytes ??= Buffer.allocUnsafeSlow(SHORT_BYTES_MAX + 1);
    const length = Math.min(to - from, SHORT_BYTES_MAX + 1 - this.length);
    bytes.copy(this.#bytes, this.length, from, from + length);
    this.length += length;
  }
}
