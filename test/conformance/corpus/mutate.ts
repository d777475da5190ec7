// What the generators of the corpora share.
import type { Random } from "../../../src/core/kit/random.ts";

/** Each line holds several texts, with " | " between them. */
export function list(...lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(" | "));
}

/** `bytes` with one to three edits, mostly small ones: inserts, replaces, deletes, repeats, changes the case. */
export function mutate(bytes: string, inserts: readonly string[], random: Random): string {
  let text = bytes;
  for (let left = 1 + random.below(3); left > 0; left--) {
    // Where it is long, it is dull.
    const at = random.below(Math.min(text.length, INTERESTING_BYTES) + 1);
    const to = Math.min(text.length, at + 1 + random.below(random.below(4) === 0 ? 40 : 2));
    const [before, middle, behind] = [text.slice(0, at), text.slice(at, to), text.slice(to)];
    const insert = inserts[random.below(inserts.length)]!;
    const kind = random.below(5);
    if (kind === 0) text = before + insert + middle + behind;
    else if (kind === 1) text = before + insert + behind;
    else if (kind === 2) text = before + behind;
    else if (kind === 3) text = before + middle + middle + behind;
    else text = before + swapCase(middle) + behind;
  }
  return text;
}

const INTERESTING_BYTES = 400;

function swapCase(text: string): string {
  return text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase();
}
