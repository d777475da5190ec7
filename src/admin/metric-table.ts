import { labelText, type MetricsText } from "./metrics-text.ts";

/** One metric of a table: a figure of each of several things. */
export interface TableMetric<Figures> {
  readonly metric: string;
  readonly kind: "gauge" | "counter";
  readonly help: string;
  readonly value: (figures: Figures) => number;
}

/** Writes every metric of `table` with a series for each of `rows`, which `label` names. */
export function writeTable<Figures>(
  text: MetricsText,
  table: readonly TableMetric<Figures>[],
  label: string,
  rows: readonly (readonly [name: string, figures: Figures])[],
): void {
  for (const { metric, kind, help, value } of table) {
    text.metric(metric, kind, help);
    for (const [name, figures] of rows) text.sample(labelText(label, name), value(figures));
  }
}
