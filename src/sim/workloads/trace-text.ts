import { momentS } from "./moment.ts";

/** One request of a recorded trace. */
export interface TraceRow {
  /** Seconds from the first row. */
  readonly atS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** As recorded; empty where the trace has none. */
  readonly blocks: readonly number[];
}

/** A trace as read. */
export interface Trace {
  readonly rows: readonly TraceRow[];
  /** Tokens of a block; 0 where rows have no blocks. */
  readonly blockTokens: number;
}

/**
 * Reads the text of a trace, by its first line: JSON lines with `timestamp` (ms), `input_length`,
 * `output_length` and `hash_ids` (Mooncake), or CSV with `TIMESTAMP,ContextTokens,GeneratedTokens` (Azure).
 * Throws RangeError with the line that is wrong. `rowsMax` reads the first so many.
 */
export function parseTrace(text: string, rowsMax: number = Number.POSITIVE_INFINITY): Trace {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const isCsv = lines[0]!.trim().toLowerCase().startsWith("timestamp,");
  const read = isCsv ? readCsvLine : readJsonLine;
  const rows: TraceRow[] = [];
  for (let i = isCsv ? 1 : 0; i < lines.length && rows.length < rowsMax; i++) {
    const line = lines[i]!.trim();
    if (line === "") continue;
    const row = read(line);
    if (row === null) throw new RangeError(`line ${i + 1} is no request: ${line.slice(0, 60)}`);
    rows.push(row);
  }
  if (rows.length === 0) throw new RangeError("there is no request in it");
  const startS = rows.reduce((first, { atS }) => Math.min(first, atS), Number.POSITIVE_INFINITY);
  const shifted = rows.map((row) => ({ ...row, atS: row.atS - startS }));
  return { rows: shifted.sort((a, b) => a.atS - b.atS), blockTokens: isCsv ? 0 : MOONCAKE_BLOCK_TOKENS };
}

const MOONCAKE_BLOCK_TOKENS = 512;
const TOKENS_MAX = 2 ** 24;

function readJsonLine(line: string): TraceRow | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { timestamp, input_length, output_length, hash_ids } = value as Record<string, unknown>;
  if (typeof timestamp !== "number" || !Number.isFinite(timestamp)) return null;
  const blocks: unknown = hash_ids ?? [];
  if (!Array.isArray(blocks) || !blocks.every((id) => typeof id === "number")) return null;
  return row(timestamp / 1000, Number(input_length), Number(output_length), blocks);
}

function readCsvLine(line: string): TraceRow | null {
  const [time = "", input, output] = line.split(",");
  const atS = momentS(time);
  return atS === null ? null : row(atS, Number(input), Number(output), []);
}

/** An empty prompt or answer counts as one token. */
function row(atS: number, input: number, output: number, blocks: readonly number[]): TraceRow | null {
  if (!isCount(input) || !isCount(output)) return null;
  return { atS, inputTokens: Math.max(1, input), outputTokens: Math.max(1, output), blocks };
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= TOKENS_MAX;
}
