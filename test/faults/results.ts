// What has been run, one line of JSON a run: an evening's runs may be broken off and go on the next day.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Row } from "./row.ts";
import type { Figures } from "./trial.ts";

/** How a run has ended. */
export interface Outcome {
  /** What did not hold; null when all did. */
  readonly failure: string | null;
  readonly figures: Figures;
  readonly seconds: number;
}

/** One run of one row at full length. */
export interface RunResult extends Outcome {
  readonly row: string;
  readonly seed: number;
  /** When it ended, in UTC. */
  readonly at: string;
  /** So many runs were allowed at once: times say less when it was more than one. */
  readonly jobs: number;
  /** The machine's load average of a minute when it began: what others took is in its times, too. */
  readonly loadBefore: number;
}

const FILE = fileURLToPath(new URL("../../tmp/faults.jsonl", import.meta.url));

/** One write of one line at the end, so that several suites may note at once. */
export function note(result: RunResult): void {
  mkdirSync(dirname(FILE), { recursive: true });
  appendFileSync(FILE, `${JSON.stringify(result)}\n`);
}

/** Every run that was noted, in order. */
export function noted(): RunResult[] {
  if (!existsSync(FILE)) return [];
  const lines = readFileSync(FILE, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RunResult);
}

/** All of them as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const results = noted();
  const lines = rows.map(({ name }) => {
    const its = results.filter(({ row }) => row === name);
    const failed = its.filter(({ failure }) => failure !== null).length;
    const seconds = its.reduce((sum, result) => sum + result.seconds, 0) / its.length;
    const last = its.findLast(({ failure }) => failure === null);
    const figures = Object.entries(last?.figures ?? {}).map(([figure, value]) => `${figure}: ${value}`);
    const cells = [its.length, failed, its.length === 0 ? "" : Math.round(seconds), figures.join("; ")];
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  const head = "| row | runs | failed | seconds each | figures of the last that held |";
  return [head, "| --- | --- | --- | --- | --- |", ...lines, ""].join("\n");
}
