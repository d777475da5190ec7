import type { Random } from "../../core/kit/random.ts";

/** The engine with the least cost, one of the equal ones by the dice; -1 when there is none. */
export function leastAtRandom(
  engines: readonly number[],
  cost: (engine: number) => number,
  random: Random,
): number {
  let best = -1;
  let least = Infinity;
  let equals = 0;
  for (const engine of engines) {
    const own = cost(engine);
    if (own < least) {
      best = engine;
      least = own;
      equals = 1;
    } else if (own === least) {
      equals++;
      if (random.below(equals) === 0) best = engine;
    }
  }
  return best;
}

/** The engine with the least cost, the first of equal ones; -1 when there is none. */
export function firstLeast(engines: readonly number[], cost: (engine: number) => number): number {
  let best = -1;
  let least = Infinity;
  for (const engine of engines) {
    const own = cost(engine);
    if (best === -1 || own < least) {
      best = engine;
      least = own;
    }
  }
  return best;
}
