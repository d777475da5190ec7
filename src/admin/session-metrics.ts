import { type TableMetric, writeTable } from "./metric-table.ts";
import type { MetricsText } from "./metrics-text.ts";
import type { AdminPool, SessionFigures } from "./source.ts";

/** What is known of learned sessions, for pools that learn them. */
export function writeSessions(text: MetricsText, pools: readonly AdminPool[]): void {
  const learning = pools.flatMap(({ name, sessions }) =>
    sessions === null ? [] : [[name, sessions] as const],
  );
  writeTable(text, METRICS, "pool", learning);
}

const METRICS: readonly TableMetric<SessionFigures>[] = [
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
