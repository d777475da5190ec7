/**
 * What is free of a worker from now on, as steps: amounts that stay the same until the next step. Source: the
 * availability profile of conservative backfilling (Mu'alem and Feitelson, IEEE TPDS 2001).
 */
export class Profile {
  /** By time; the last one lasts for ever. */
  readonly #steps: Step[];

  /** `free`: from `fromMs` on. */
  constructor(fromMs: number, free: readonly number[]) {
    this.#steps = [{ atMs: fromMs, free: [...free] }];
  }

  get stepCount(): number {
    return this.#steps.length;
  }

  /** So much more is free from then on. Times must not fall. */
  release(atMs: number, amounts: readonly number[]): void {
    let last = this.#steps.at(-1)!;
    if (atMs > last.atMs) {
      last = { atMs, free: [...last.free] };
      this.#steps.push(last);
    }
    for (const [i, amount] of amounts.entries()) last.free[i]! += amount;
  }

  /** Whether so much is free at the first moment. */
  isFreeFirst(want: readonly number[]): boolean {
    return isWithin(this.#steps[0]!.free, want);
  }

  /** When so much is free for so long, at the soonest; Infinity: never. O(steps). */
  earliest(want: readonly number[], forMs: number): number {
    const steps = this.#steps;
    let start = 0;
    for (let at = 0; at < steps.length; at++) {
      if (at > start && steps[at]!.atMs >= steps[start]!.atMs + forMs) return steps[start]!.atMs;
      if (!isWithin(steps[at]!.free, want)) start = at + 1;
    }
    return steps[start]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** So much is taken from then, for so long. */
  take(want: readonly number[], fromMs: number, forMs: number): void {
    const from = this.#split(fromMs);
    const to = this.#split(fromMs + forMs);
    for (let at = from; at < to; at++) {
      const { free } = this.#steps[at]!;
      for (let i = 0; i < want.length; i++) free[i]! -= want[i]!;
    }
  }

  /** The place of the step that begins then. */
  #split(atMs: number): number {
    const steps = this.#steps;
    let at = steps.length;
    while (at > 0 && steps[at - 1]!.atMs >= atMs) at--;
    if (steps[at]?.atMs !== atMs) steps.splice(at, 0, { atMs, free: [...steps[Math.max(0, at - 1)]!.free] });
    return at;
  }
}

interface Step {
  readonly atMs: number;
  readonly free: number[];
}

function isWithin(free: readonly number[], want: readonly number[]): boolean {
  for (let i = 0; i < want.length; i++) {
    if (want[i]! > 0 && want[i]! > free[i]! + ROUNDING_PART * Math.max(1, want[i]!)) return false;
  }
  return true;
}

/** Sums of fractions such as 0.1 cores are not exact. */
const ROUNDING_PART = 1e-9;
