import { type Target, tryInput } from "./target.ts";

/** A shorter input with the same result: ever smaller pieces are left out, as long as it stays. */
export async function shrink(target: Target, input: string, result: string | Error): Promise<string> {
  const kind = kindOf(result);
  let shortest = input;
  let tries = 0;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < shortest.length && tries < TRIES_MAX;) {
      tries++;
      const shorter = shortest.slice(0, at) + shortest.slice(at + size);
      if (kindOf(await tryInput(target, shorter)) === kind) shortest = shorter;
      else at += size;
    }
  }
  return shortest;
}

/** Of an error the first words: what follows tells of the input. */
function kindOf(result: string | Error): string {
  return result instanceof Error ? `error ${result.message.split(/[:\n]/, 1)[0]!}` : result;
}

const TRIES_MAX = 1_000;
