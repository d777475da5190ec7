import { type AllResults, areGood, type Column, type Cost, resultsTable } from "../rounds.ts";
import type { Session } from "../session.ts";
import type { Outcome, SummaryRow } from "./workload.ts";

/** How results are shown. */
export interface Showing<Sample> {
  heading: string;
  /** What the reader of the table has to know; the backends are named before it. */
  notes: readonly string[];
  /** What the ratios are made of. */
  cost: Cost<Sample>;
  columns: readonly Column<Sample>[];
  rows: readonly SummaryRow[];
}

/** What a workload found, from the results of its rounds. */
export function outcomeOf<Sample>(
  results: AllResults<Sample>,
  session: Session,
  { heading, notes, cost, columns, rows }: Showing<Sample>,
): Outcome {
  const lines = [
    `### ${heading}`,
    `Backends: ${session.backends}.`,
    ...notes,
    "",
    resultsTable(results, session.absent, cost, columns),
  ];
  return { text: lines.join("\n"), rows, isGood: areGood(results) };
}
