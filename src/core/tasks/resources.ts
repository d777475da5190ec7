import type { Resources } from "./task.ts";

/**
 * Whether `want` is free of `capacity`, of which `used` is taken. What a worker does not name it has none of.
 */
export function fits(capacity: Resources, used: Resources, want: Resources): boolean {
  for (const name in want) {
    const amount = want[name]!;
    const has = capacity[name] ?? 0;
    if (amount > 0 && (used[name] ?? 0) + amount > has + roundingOf(has)) return false;
  }
  return true;
}

/** Takes `want` of what is counted in `used`. */
export function take(used: Record<string, number>, want: Resources): void {
  for (const name in want) used[name] = (used[name] ?? 0) + want[name]!;
}

/** Gives it back; what is left by rounding is nothing. */
export function giveBack(used: Record<string, number>, want: Resources): void {
  for (const name in want) {
    const before = used[name] ?? 0;
    const left = before - want[name]!;
    if (left > roundingOf(before)) used[name] = left;
    else delete used[name];
  }
}

/**
 * The largest part that `want` is of any resource of all workers together, 0..1; what nobody has counts as
 * all of it.
 * Source: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011.
 */
export function dominantShare(want: Resources, total: Resources): number {
  let share = 0;
  for (const name in want) {
    const amount = want[name]!;
    if (amount > 0) share = Math.max(share, Math.min(1, amount / (total[name] ?? 0)));
  }
  return share;
}

/** Sums of fractions such as 0.1 cores are not exact, and those of large amounts are so by more. */
function roundingOf(amount: number): number {
  return ROUNDING_PART * Math.max(1, amount);
}

const ROUNDING_PART = 1e-9;
