/**
 * The share of its weight and limit that an endpoint gets `elapsedMs` after it came (back): a straight line
 * from 10 % to 100 %. Smooth in time, not stepped by a check's interval (P16).
 * Source: HAProxy `slowstart` (weight and maxconn), Envoy's 10 % floor.
 */
export function rampShare(elapsedMs: number, durationMs: number): number {
  if (elapsedMs >= durationMs) return 1;
  return Math.max(RAMP_SHARE_MIN, elapsedMs / durationMs);
}

const RAMP_SHARE_MIN = 0.1;
