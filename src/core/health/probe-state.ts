/**
 * What active probes say about an endpoint: `fall` failures in a row take it down, `rise` passes bring it
 * back (HAProxy's rise and fall). The first probe of all decides alone: nothing is known before it.
 */
export type ProbeState =
  | { readonly kind: "unknown" }
  | { readonly kind: "up"; readonly failures: number }
  | { readonly kind: "down"; readonly passes: number; readonly detail: string };

export type ProbeEvent = { readonly passed: true } | { readonly passed: false; readonly detail: string };

/** How many probes in a row decide. */
export interface ProbeThresholds {
  /** Passes in a row that bring an endpoint back; >= 1. */
  readonly rise: number;
  /** Failures in a row that take it down; >= 1. */
  readonly fall: number;
}

/** The state after one more probe. */
export function stepProbe(state: ProbeState, event: ProbeEvent, thresholds: ProbeThresholds): ProbeState {
  switch (state.kind) {
    case "unknown":
      return event.passed ? UP : { kind: "down", passes: 0, detail: event.detail };
    case "up": {
      if (event.passed) return UP;
      const failures = state.failures + 1;
      if (failures >= thresholds.fall) return { kind: "down", passes: 0, detail: event.detail };
      return { kind: "up", failures };
    }
    case "down": {
      if (!event.passed) return { kind: "down", passes: 0, detail: event.detail };
      const passes = state.passes + 1;
      return passes >= thresholds.rise ? UP : { kind: "down", passes, detail: state.detail };
    }
  }
}

const UP: ProbeState = { kind: "up", failures: 0 };
