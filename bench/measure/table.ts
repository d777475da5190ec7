/** A Markdown table: the first column is text, the others are set to the right. Cells must not hold `|`. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** A number of microseconds, such as `21.5`. */
export function showUs(us: number): string {
  return us.toFixed(1);
}

/** Milliseconds as wrk shows them: `861 us`, `1.23 ms`, `2.10 s`. */
export function showMs(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} us`;
  return ms < 1000 ? `${ms.toFixed(2)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A whole number with separators, such as `41,200`. */
export function showCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Such as `98 %`. */
export function showPercent(percent: number): string {
  return `${Math.round(percent)} %`;
}
