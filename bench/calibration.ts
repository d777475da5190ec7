import { median } from "./measure/statistics.ts";

/**
 * Nanoseconds per step of a fixed integer loop (xorshift, one dependent chain): how fast one core of this
 * machine is now, so that absolute times of two machines, or of two hours, can be set beside each other.
 * The median of {@link RUNS} runs; takes about 0.2 s.
 */
export function calibrate(): number {
  spin(STEPS); // the compiler's first look is not measured
  const nsPerStep: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedAt = process.hrtime.bigint();
    const last = spin(STEPS);
    const elapsedNs = Number(process.hrtime.bigint() - startedAt);
    // A use of the result, without which a compiler may drop the loop; xorshift never reaches 0.
    if (last === 0) throw new Error("the calibration loop is broken");
    nsPerStep.push(elapsedNs / STEPS);
  }
  return median(nsPerStep);
}

const RUNS = 5;
const STEPS = 20_000_000;

/** Marsaglia, "Xorshift RNGs", 2003: triple 13, 17, 5 of 32 bits. */
function spin(steps: number): number {
  let state = 2_463_534_242 | 0;
  for (let step = 0; step < steps; step++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state;
}
