// Which runs are made, and which of them at once.
import { loadavg } from "node:os";
import { type Run, runIsolated } from "./isolated.ts";
import { note, noted, type Outcome } from "./results.ts";
import type { Row } from "./row.ts";
import type { Length } from "./trial.ts";

/** What a command line asks for. */
export interface Plan {
  readonly rows: readonly Row[];
  /** Of each row; null: as many as its length asks for. */
  readonly runs: number | null;
  readonly seed: number;
  readonly length: Length;
  /** Only what has not been noted yet. */
  readonly isOnlyMissing: boolean;
  /** So many light runs at once; heavy ones are always alone. */
  readonly jobs: number;
}

/** The runs of one row. */
interface RowRuns {
  readonly row: Row;
  readonly runs: readonly Run[];
  readonly outcomes: (Outcome & { readonly seed: number })[];
}

/** Makes all runs and prints a line a row; true when all were made and held. */
export async function runAll(plan: Plan): Promise<boolean> {
  process.stdout.write("row         runs  failed  seconds  seeds                  figures of the last run\n");
  const all = plan.rows.map((row) => runsOf(row, plan)).filter(({ runs }) => runs.length > 0);
  let failures = 0;
  await inTurns(all, plan.jobs, (rowRuns, run, outcome, loadBefore) => {
    const { seconds, failure, figures } = outcome;
    const { name } = rowRuns.row;
    const at = new Date().toISOString();
    if (run.length === "full") {
      const { jobs } = plan;
      note({ row: name, seed: run.seed, seconds, failure, figures, at, jobs, loadBefore });
    }
    rowRuns.outcomes.push({ ...outcome, seed: run.seed });
    if (failure !== null) failures++;
    if (isOver(rowRuns)) process.stdout.write(textOf(rowRuns));
  });
  const unfinished = all.filter((rowRuns) => !isOver(rowRuns));
  for (const rowRuns of unfinished) if (rowRuns.outcomes.length > 0) process.stdout.write(textOf(rowRuns));
  if (unfinished.length > 0) process.stdout.write(`${unfinished.length} rows are not through\n`);
  const again = "npm run faults -- --row NAME --runs 1 --seed SEED repeats one run";
  if (failures > 0) process.stdout.write(`${failures} runs failed; ${again}\n`);
  else if (unfinished.length === 0) process.stdout.write("all rows hold\n");
  return failures === 0 && unfinished.length === 0;
}

function isOver({ runs, outcomes }: RowRuns): boolean {
  return outcomes.length === runs.length;
}

function runsOf(row: Row, { runs, seed, length, isOnlyMissing }: Plan): RowRuns {
  const done = isOnlyMissing ? noted().filter((it) => it.row === row.name) : [];
  const seeds = new Set(done.map((it) => it.seed));
  const count = (runs ?? (row.isLong === true ? RUNS_LONG : RUNS)) - done.length;
  const made: Run[] = [];
  for (let next = seed; made.length < count; next++) {
    if (!seeds.has(next)) made.push({ row, length, seed: next });
  }
  return { row, runs: made, outcomes: [] };
}

type OnOutcome = (rowRuns: RowRuns, run: Run, outcome: Outcome, loadBefore: number) => void;

/** Light runs first, up to `jobs` at once, then each heavy one alone; all in their order with one job. */
async function inTurns(all: readonly RowRuns[], jobs: number, onOutcome: OnOutcome): Promise<void> {
  const turns = all.flatMap((rowRuns) => rowRuns.runs.map((run) => ({ rowRuns, run })));
  const isHeavy = ({ run }: { run: Run }): boolean => run.row.isHeavy === true;
  const isOneByOne = (turn: { run: Run }): boolean => jobs === 1 || isHeavy(turn);
  const together = turns.filter((turn) => !isOneByOne(turn));
  const alone = turns.filter(isOneByOne);
  const work = async (queue: typeof turns): Promise<void> => {
    for (let turn = queue.shift(); turn !== undefined; turn = queue.shift()) {
      const loadBefore = loadavg()[0]!;
      const outcome = await runIsolated(turn.run);
      if (outcome === null) return;
      onOutcome(turn.rowRuns, turn.run, outcome, loadBefore);
    }
  };
  await Promise.all(Array.from({ length: jobs }, () => work(together)));
  await work(alone);
}

function textOf({ row, outcomes }: RowRuns): string {
  const failed = outcomes.filter(({ failure }) => failure !== null);
  const seeds = outcomes.map(({ seed }) => seed).toSorted((a, b) => a - b);
  const seconds = outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0);
  const last = outcomes.at(-1)!;
  const figures = Object.entries(last.figures).map(([name, value]) => `${name}: ${value}`);
  const cells = [
    row.name.padEnd(10),
    String(outcomes.length).padStart(4),
    String(failed.length).padStart(6),
    String(Math.round(seconds)).padStart(7),
    `${seeds[0]}..${seeds.at(-1)}`.padEnd(21),
    figures.join("; "),
  ];
  const failures = failed.map(({ failure }) => `${failure!.replaceAll(/^/gm, "    ")}\n`);
  return `${cells.join("  ")}\n${failures.join("")}`;
}

const RUNS = 20;
const RUNS_LONG = 3;
