/** A mean and how far the true one may be from it: half of the 95 % confidence interval. */
export interface Estimate {
  readonly mean: number;
  /** NaN where there is one sample only. */
  readonly margin: number;
}

/** Mean and 95 % confidence interval by Student's t; NaN where any sample is. */
export function estimate(samples: readonly number[]): Estimate {
  const count = samples.length;
  const mean = samples.reduce((sum, value) => sum + value, 0) / count;
  const squares = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, margin: studentT(count - 1) * Math.sqrt(squares / (count - 1) / count) };
}

/** Of the differences a - b, pair by pair: seeds that are hard for one are hard for the other. */
export function pairedDifference(a: readonly number[], b: readonly number[]): Estimate {
  return estimate(a.map((value, index) => value - b[index]!));
}

/** The 97.5 % quantile of Student's t; that of 30 degrees for more, which is a little too careful. */
function studentT(degrees: number): number {
  return degrees < 1 ? Number.NaN : T_QUANTILES[Math.min(degrees, T_QUANTILES.length) - 1]!;
}

const T_QUANTILES = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * The place of each value, 1 is the best; equal ones share the mean of their places. NaN comes last.
 */
export function ranks(values: readonly number[], isLessBetter: boolean): number[] {
  const worth = values.map((value) => {
    if (Number.isNaN(value)) return Number.POSITIVE_INFINITY;
    return isLessBetter ? value : -value;
  });
  return worth.map((own) => {
    const before = worth.filter((other) => other < own).length;
    const equal = worth.filter((other) => other === own).length;
    return before + (equal + 1) / 2;
  });
}
