import { labelText, type MetricsText } from "./metrics-text.ts";
import type { AdminPool, SessionFigures } from "./source.ts";

/** What is known of learned sessions, for pools that learn them. */
export function writeSessions(text: MetricsText, pools: readonly AdminPool[]): void {
  for (const { metric, kind, help, value } of METRICS) {
    text.metric(metric, kind, help);
    for (const { name, sessions } of pools) {
      if (sessions !== null) text.sample(labelText("pool", name), value(sessions));
    }
  }
}

interface SessionMetric {
  readonly metric: string;
  readonly kind: "gauge" | "counter";
  readonly help: string;
  readonly value: (figures: SessionFigures) => number;
}

const METRICS: readonly SessionMetric[] = [
  {
    metric: "evener_learned_sessions",
    kind: "gauge",
    help: "Sessions that are known from answers of backends.",
    value: ({ entries }) => entries,
  },
  {
    metric: "evener_learned_sessions_total",
    kind: "counter",
    help: "Sessions that were learned, or moved to another backend.",
    value: ({ learned }) => learned,
  },
  {
    metric: "evener_learned_sessions_evicted_total",
    kind: "counter",
    help: "Sessions that were forgotten before their time, for want of room.",
    value: ({ evicted }) => evicted,
  },
];
