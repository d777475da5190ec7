import type { Random } from "../../core/kit/random.ts";

/** A whole number, log-normally distributed about that median, within `[1, max]`. */
export function lengthNear(random: Random, median: number, sigma: number, max: number): number {
  // Box and Muller 1958.
  const radius = Math.sqrt(-2 * Math.log(1 - random.float()));
  const normal = radius * Math.cos(2 * Math.PI * random.float());
  return Math.max(1, Math.min(max, Math.round(median * Math.exp(sigma * normal))));
}

/** 1, 2, ...: how often it goes on when it stops each time with probability 1 / `mean`; at most `max`. */
export function geometric(random: Random, mean: number, max: number): number {
  if (mean <= 1) return 1;
  const count = 1 + Math.floor(Math.log(1 - random.float()) / Math.log(1 - 1 / mean));
  return Math.min(max, count);
}

/** Numbers for blocks that nobody else has. */
export class BlockNumbers {
  #next = 0;

  take(count: number): number[] {
    const first = this.#next;
    this.#next += count;
    return Array.from({ length: count }, (_, index) => first + index);
  }
}
