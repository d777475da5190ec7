// Hot path: one look at the clock for all that a read brings about.
import type { Clock } from "../core/kit/clock.ts";

/**
 * Monotonic milliseconds, as `performance.now`. While the bytes of a read are handled its time stands still:
 * a small request asks eight times, and all of that is done in some microseconds.
 */
export const readClock: Clock = {
  nowMs: () => (readAtMs < 0 ? performance.now() : readAtMs),
};

/** The bytes of a read are about to be handled. */
export function beginRead(): void {
  readAtMs = performance.now();
}

/** They are. */
export function endRead(): void {
  readAtMs = OUTSIDE;
}

const OUTSIDE = -1;
let readAtMs = OUTSIDE;
