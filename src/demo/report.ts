/**
 * The table of one second: a title, a header and a row a backend. Plain text; with `isColored`, trouble
 * stands out. Nothing is cut: long names widen their column.
 */
export function formatLoadTable(rows: readonly LoadRow[], title: string, style: Style = PLAIN): string[] {
  const cells: Cell[][] = [HEADER.map((text) => ({ text }))];
  const sent = rows.reduce((sum, row) => sum + row.sent, 0);
  for (const row of rows) {
    const share = sent === 0 ? Number.NaN : row.sent / sent;
    const isLate = row.p95FirstByteMs > LATE_MS;
    cells.push([
      { text: row.name },
      { text: row.state, ink: row.state === "up" ? "none" : "red" },
      { text: String(row.sent) },
      { text: percent(share) },
      { text: bar(share) },
      { text: String(row.answered) },
      { text: String(row.inFlight) },
      { text: milliseconds(row.p95FirstByteMs), ink: isLate ? "red" : "none" },
    ]);
  }
  return [paint(title, "bold", style), ...alignColumns(cells, [0, 1, 4], style)];
}

/** First bytes and failures of two phases side by side, and what the second changed. */
export function formatComparison(first: PhaseResult, second: PhaseResult, style: Style = PLAIN): string[] {
  const late = (label: string, before: number, after: number): Cell[] => [
    { text: label },
    { text: milliseconds(before) },
    { text: milliseconds(after) },
    { text: timesSooner(before, after), ink: after <= before ? "green" : "red" },
  ];
  const cells: Cell[][] = [
    [{ text: "" }, { text: first.name }, { text: second.name }, { text: "" }],
    [{ text: "requests" }, { text: String(first.requests) }, { text: String(second.requests) }, { text: "" }],
    late("p50 first byte", first.p50FirstByteMs, second.p50FirstByteMs),
    late("p95 first byte", first.p95FirstByteMs, second.p95FirstByteMs),
    late("p99 first byte", first.p99FirstByteMs, second.p99FirstByteMs),
    [
      { text: "failed" },
      { text: failures(first) },
      { text: failures(second) },
      { text: failedVerdict(first.failed, second.failed) },
    ],
  ];
  return [
    paint(`${first.name} against ${second.name}`, "bold", style),
    ...alignColumns(cells, [0, 3], style),
  ];
}

/** One backend in the last second. */
export interface LoadRow {
  readonly name: string;
  /** `up` is what all is well with. */
  readonly state: string;
  /** Requests that the balancer sent there in the second, retries included: what it chose. */
  readonly sent: number;
  /** Answers of its that began in the second: a slow backend's belong to requests of seconds before. */
  readonly answered: number;
  readonly inFlight: number;
  /** NaN where no answer began. */
  readonly p95FirstByteMs: number;
}

/** What one phase of the demo came to. */
export interface PhaseResult {
  readonly name: string;
  readonly requests: number;
  readonly failed: number;
  readonly p50FirstByteMs: number;
  readonly p95FirstByteMs: number;
  readonly p99FirstByteMs: number;
}

/** For whom it is printed. */
export interface Style {
  /** ANSI colors: only where the output is a terminal. */
  readonly isColored: boolean;
}

type Ink = "none" | "bold" | "red" | "green";

interface Cell {
  readonly text: string;
  readonly ink?: Ink;
}

const PLAIN: Style = { isColored: false };
const HEADER: readonly string[] = [
  "backend",
  "state",
  "sent",
  "share",
  "",
  "answered",
  "in flight",
  "p95 first byte",
];
const BAR_CELLS = 24;
/** A first byte later than this is shown as trouble. */
const LATE_MS = 1_000;
const CODES: Record<Exclude<Ink, "none">, string> = { bold: "1", red: "31", green: "32" };

function paint(text: string, ink: Ink, style: Style): string {
  return style.isColored && ink !== "none" ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text;
}

/** Text columns (by index) start at the left, numbers end at the right. */
function alignColumns(
  rows: readonly (readonly Cell[])[],
  textColumns: readonly number[],
  style: Style,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.text.length);
  }
  return rows.map((row) => {
    let line = "";
    for (const [column, cell] of row.entries()) {
      const width = widths[column]!;
      // Padding comes before the paint: escape codes have no width.
      const text = textColumns.includes(column) ? cell.text.padEnd(width) : cell.text.padStart(width);
      line += `  ${paint(text, cell.ink ?? "none", style)}`;
    }
    return line.trimEnd();
  });
}

function percent(share: number): string {
  return Number.isNaN(share) ? "-" : `${Math.round(share * 100)} %`;
}

function bar(share: number): string {
  const filled = Number.isNaN(share) ? 0 : Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return "█".repeat(filled) + "·".repeat(BAR_CELLS - filled);
}

function milliseconds(ms: number): string {
  return Number.isNaN(ms) ? "-" : `${Math.round(ms)} ms`;
}

function timesSooner(before: number, after: number): string {
  if (!(before > 0 && after > 0)) return "";
  const times = before / after;
  if (times > 0.95 && times < 1.05) return "the same";
  return times > 1 ? `${times.toFixed(1)}x sooner` : `${(1 / times).toFixed(1)}x later`;
}

/** Failures differ by chance: only what chance rarely does (two standard deviations) is a result. */
function failedVerdict(before: number, after: number): string {
  if (before === after) return "the same";
  if (Math.abs(after - before) <= 2 * Math.sqrt(before + after)) return "no clear difference";
  return after < before ? "fewer" : "more";
}

function failures(phase: PhaseResult): string {
  const share = phase.requests === 0 ? 0 : phase.failed / phase.requests;
  return `${phase.failed} (${(share * 100).toFixed(1)} %)`;
}
