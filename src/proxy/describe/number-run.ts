// Hot path: two nanoseconds a byte; token ids come by the thousand. No constant is imported: json-spans.ts.
const SPACE = 0x20;
const COMMA = 0x2c;
const NINE = 0x39;
/** Looked at without a branch, as which byte comes next in a list of numbers nobody can guess. */
const STRIDE_BYTES = 128;
const NEAR_BYTES = 24;

/** Numbers in a list, one after the other, with a comma and at most a space between. */
export class NumberRun {
  /** Where the last of them ends that is seen, complete or not. */
  end = 0;
  commas = 0;

  /** `from` is in a number or behind one. */
  read(bytes: Uint8Array, from: number, end: number): void {
    // Where there are spaces or fractions, strides would be in vain.
    const near = from + NEAR_BYTES < end ? from + NEAR_BYTES : end;
    let at = endOfNumbers(bytes, from, from, near);
    let commas = countCommas(bytes, from, at);
    if (at === near) {
      while (at + STRIDE_BYTES <= end) {
        const more = commasIn(bytes, at, at + STRIDE_BYTES);
        if (more < 0) break;
        commas += more;
        at += STRIDE_BYTES;
      }
      const rest = at;
      at = endOfNumbers(bytes, from, rest, end);
      commas += countCommas(bytes, rest, at);
    }
    // What comes after the last comma is no number, or not here yet.
    for (; at > from; at--) {
      const byte = bytes[at - 1]!;
      if (byte === COMMA) commas--;
      else if (byte !== SPACE) break;
    }
    this.end = at;
    this.commas = commas;
  }
}

function endOfNumbers(bytes: Uint8Array, from: number, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= COMMA && byte <= NINE) continue;
    if (byte !== SPACE || at === from || bytes[at - 1] !== COMMA) break;
  }
  return at;
}

function countCommas(bytes: Uint8Array, from: number, to: number): number {
  let commas = 0;
  for (let at = from; at < to; at++) commas += ((bytes[at]! ^ COMMA) - 1) >>> 31;
  return commas;
}

/** -1 where something else stands than commas, digits, signs and points, which are neighbours in ASCII. */
function commasIn(bytes: Uint8Array, from: number, to: number): number {
  let commas = 0;
  let outside = 0;
  for (let at = from; at < to; at++) {
    const above = bytes[at]! - COMMA;
    outside |= above | (NINE - COMMA - above);
    commas += (above - 1) >>> 31;
  }
  return outside < 0 ? -1 : commas;
}
