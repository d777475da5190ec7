import type { Random } from "../../src/core/kit/random.ts";
import { mutate } from "../conformance/corpus/mutate.ts";

/** One of `list`. */
export function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)]!;
}

/** True once in `times`. */
export function once(times: number, random: Random): boolean {
  return random.below(times) === 0;
}

/** `text` with a few edits; now and then a flipped bit, a cut end or the end of another one. */
export function mutated(
  text: string,
  others: readonly string[],
  inserts: readonly string[],
  random: Random,
): string {
  const kind = random.below(8);
  const at = random.below(text.length + 1);
  if (kind === 0 && at < text.length) {
    const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8)));
    return text.slice(0, at) + flipped + text.slice(at + 1);
  }
  if (kind === 1) return text.slice(0, at);
  if (kind === 2) {
    const other = pick(others, random);
    return text.slice(0, at) + other.slice(random.below(other.length + 1));
  }
  return mutate(text, inserts, random);
}

/** Where to cut `length` bytes into pieces. */
export function cutsOf(length: number, random: Random): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < length && cuts.length < CUTS_MAX;) {
    at += 1 + random.below(random.below(3) === 0 ? 2 : 60);
    if (at < length) cuts.push(at);
  }
  return cuts;
}

const CUTS_MAX = 1_000;
