import type { Column, Selection } from "./columns.ts";
import type { Results } from "./results.ts";
import type { Task, TaskResult } from "./run-task.ts";
import type { Score } from "../../src/sim/score.ts";
import { type Estimate, estimate, pairedDifference, ranks } from "./statistics.ts";

/** One policy in one cell. */
export interface CellRow {
  readonly policy: string;
  /** One a seed. */
  readonly scores: readonly Score[];
  readonly goodput: Estimate;
  readonly ttftMeanS: Estimate;
}

/** One column on one engine, with all policies. */
export interface Cell {
  readonly column: Column;
  readonly engine: string;
  readonly capacityPerS: number;
  readonly rows: readonly CellRow[];
}

/** How a policy did in a cell, beside whoever was best. */
export interface Verdict {
  readonly cell: Cell;
  /** Nobody is better, as far as the tables show. */
  readonly isGoodputFirst: boolean;
  readonly isTtftFirst: boolean;
  readonly bestGoodput: CellRow;
  readonly bestTtft: CellRow;
  /** Goodput less that of the best: of the means, and seed by seed. */
  readonly goodputGap: Estimate;
  /** Mean TTFT over that of the best, less 1; 0.05 is 5 % more. */
  readonly ttftGap: Estimate;
  readonly isGoodputHeld: boolean;
  readonly isTtftHeld: boolean;
}

/** Goodput may be so far below the best (2 points). */
export const GOODPUT_GAP_MAX = 0.02;
/** Mean TTFT may be so far above the best, as a share of it. */
export const TTFT_GAP_MAX = 0.05;
/** Who leaves more unanswered is not compared by the first tokens of the rest. */
const UNANSWERED_SHARE_MAX = 0.01;

/** Collects the results of a selection, which must all be there. */
export function cellsOf(selection: Selection, results: Results): Cell[] {
  const { columns, engines, policies, seeds } = selection;
  const resultOf = (task: Task): TaskResult => results.get(task)!;
  return columns.flatMap((column) =>
    engines.map((engine): Cell => {
      const rows = policies.map((policy): CellRow => {
        const scores = Array.from({ length: seeds }, (_, i) => {
          return resultOf({ column, engine, policy, seed: i + 1, seeds }).score;
        });
        return { policy, scores, goodput: of(scores, "goodput"), ttftMeanS: of(scores, "ttftMeanS") };
      });
      const { capacityPerS } = resultOf({ column, engine, policy: policies[0]!, seed: 1, seeds });
      return { column, engine, capacityPerS, rows };
    }),
  );
}

/** A figure over the seeds. */
export function of(scores: readonly Score[], figure: keyof Score): Estimate {
  return estimate(scores.map((one) => one[figure]));
}

/** Judges one policy in one cell by the means over the seeds. */
export function judge(cell: Cell, policy: string): Verdict {
  const { rows } = cell;
  const own = rows.find((row) => row.policy === policy)!;
  const bestGoodput = rows.reduce((a, b) => (b.goodput.mean > a.goodput.mean ? b : a));
  const answering = rows.filter((row) => row === own || unansweredShare(row) <= UNANSWERED_SHARE_MAX);
  const bestTtft = answering.reduce((a, b) => (b.ttftMeanS.mean < a.ttftMeanS.mean ? b : a));
  const goodputGap = pairedDifference(figures(own, "goodput"), figures(bestGoodput, "goodput"));
  const ttftDifference = pairedDifference(figures(own, "ttftMeanS"), figures(bestTtft, "ttftMeanS"));
  const ttftGap = {
    mean: ttftDifference.mean / bestTtft.ttftMeanS.mean,
    margin: ttftDifference.margin / bestTtft.ttftMeanS.mean,
  };
  return {
    cell,
    isGoodputFirst: inPoints(own) === inPoints(bestGoodput),
    isTtftFirst: inDigits(own) === inDigits(bestTtft),
    bestGoodput,
    bestTtft,
    goodputGap,
    ttftGap,
    isGoodputHeld: goodputGap.mean >= -GOODPUT_GAP_MAX,
    isTtftHeld: ttftGap.mean <= TTFT_GAP_MAX,
  };
}

/** Ranks of all rows of a cell; what is equal to a tenth of a point shares its place. */
export function goodputRanks({ rows }: Cell): number[] {
  return ranks(rows.map(inPoints), false);
}

/** Ranks of all rows of a cell; what is equal to three digits shares its place. */
export function ttftRanks({ rows }: Cell): number[] {
  return ranks(rows.map(inDigits), true);
}

/** Sums of ranks over all cells, the best first. */
export function rankSums(cells: readonly Cell[]): RankSum[] {
  const policies = cells[0]!.rows.map(({ policy }) => policy);
  const sums = policies.map((policy, place): RankSum => {
    const goodput = cells.reduce((sum, cell) => sum + goodputRanks(cell)[place]!, 0);
    const ttft = cells.reduce((sum, cell) => sum + ttftRanks(cell)[place]!, 0);
    const held = cells.filter((cell) => isHeld(judge(cell, policy))).length;
    return { policy, goodput, ttft, total: goodput + ttft, held };
  });
  return sums.sort((a, b) => a.total - b.total);
}

/** One policy over all cells. */
export interface RankSum {
  readonly policy: string;
  readonly goodput: number;
  readonly ttft: number;
  readonly total: number;
  /** Cells in which it is the best or near the best in both. */
  readonly held: number;
}

/** Both bars. */
export function isHeld({ isGoodputHeld, isTtftHeld }: Verdict): boolean {
  return isGoodputHeld && isTtftHeld;
}

function inPoints({ goodput }: CellRow): number {
  return Math.round(goodput.mean * 1000);
}

function inDigits({ ttftMeanS }: CellRow): number {
  return Number(ttftMeanS.mean.toPrecision(3));
}

function unansweredShare({ scores }: CellRow): number {
  const unanswered = scores.reduce((sum, { refused, lost }) => sum + refused + lost, 0);
  return unanswered / scores.reduce((sum, { requests }) => sum + requests, 0);
}

function figures({ scores }: CellRow, figure: keyof Score): number[] {
  return scores.map((one) => one[figure]);
}
