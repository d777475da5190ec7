import { type TableMetric, writeTable } from "./metric-table.ts";
import type { MetricsText } from "./metrics-text.ts";
import type { NameFigures } from "./source.ts";

/** What is known of the names of backends, one series a name. */
export function writeNames(text: MetricsText, names: readonly NameFigures[]): void {
  writeTable(
    text,
    METRICS,
    "name",
    names.map((figures) => [figures.name, figures] as const),
  );
}

const METRICS: readonly TableMetric<NameFigures>[] = [
  {
    metric: "evener_dns_addresses",
    kind: "gauge",
    help: "Addresses that the name stands for.",
    value: ({ addresses }) => addresses,
  },
  {
    metric: "evener_dns_answer_age_seconds",
    kind: "gauge",
    help: "Age of the last good answer for the name; +Inf before the first.",
    value: ({ ageMs }) => ageMs / 1000,
  },
  {
    metric: "evener_dns_failures_total",
    kind: "counter",
    help: "Questions for the name without a good answer.",
    value: ({ failures }) => failures,
  },
];
