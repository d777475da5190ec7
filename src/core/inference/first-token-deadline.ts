import type { Forecast } from "../forecast.ts";

/**
 * How long a prompt waits for the first byte of its answer before it is asked whether another endpoint would
 * be sooner: it grows with what was forecast, queue and prefill, so that a fleet with long queues does not
 * ask more often. Infinity where the forecast can not say.
 */
export function firstTokenDeadlineMs({ firstSignMs, isGuess }: Readonly<Forecast>): number {
  return firstSignMs * LATE_TIMES + (isGuess === 1 ? GUESS_MS : PATIENCE_MS);
}

/** The next time, after so many looks found nobody; Infinity after the last. */
export function nextLookMs(waitedMs: number, looks: number): number {
  return looks >= LOOKS_MAX ? Number.POSITIVE_INFINITY : waitedMs * LOOK_TIMES;
}

/** So many times longer than forecast is late: prompts beside running answers take up to twice as long. */
const LATE_TIMES = 2;
/** In addition: short prompts wait for a step or two that nobody forecast. */
const PATIENCE_MS = 2_000;
/** The same where nobody knows how fast anybody is, as behind a first start: models may have to be loaded. */
const GUESS_MS = 30_000;
/** Each look is so many times later than the one before. */
const LOOK_TIMES = 1.5;
/** So that a time that was written far below the forecast does not end before that was due. */
const LOOKS_MAX = 12;
