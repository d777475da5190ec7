import type { BenchOptions } from "../measure/options.ts";
import { median } from "../measure/statistics.ts";
import { markdownTable } from "../measure/table.ts";
import { YARDSTICK } from "./proxies/index.ts";
import type { Absent, Contestant } from "./session.ts";

/** One entry a round: undefined where the measurement failed, for the reason in `errors`. */
export interface Results<Sample> {
  samples: (Sample | undefined)[];
  errors: string[];
}

/** What every contestant did, in the order of the session. */
export type AllResults<Sample> = ReadonlyMap<Contestant, Results<Sample>>;

/** What one measurement costs, in whatever unit: ratios are made of it. */
export type Cost<Sample> = (sample: Sample) => number;

/** A column of a table of results; `cell` gets the samples of one contestant, at least one. */
export interface Column<Sample> {
  head: string;
  cell(samples: readonly Sample[]): string;
}

/**
 * Measures every contestant once a round, in turn (A B C A B C), so that what disturbs the machine for a
 * while disturbs all. The failure of one is in its results and does not end the others; an interrupt does.
 */
export async function interleave<Sample>(
  contestants: readonly Contestant[],
  options: Pick<BenchOptions, "rounds" | "signal">,
  measure: (contestant: Contestant) => Promise<Sample>,
  show: (sample: Sample) => string,
): Promise<AllResults<Sample>> {
  const results = new Map(contestants.map((contestant) => [contestant, newResults<Sample>()]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [contestant, { samples, errors }] of results) {
      let shown: string;
      try {
        const sample = await measure(contestant);
        samples.push(sample);
        shown = show(sample);
      } catch (error) {
        options.signal.throwIfAborted();
        samples.push(undefined);
        shown = contestant.running.ended() ?? (error instanceof Error ? error.message : String(error));
        errors.push(shown.replaceAll(/[\s|]+/g, " "));
      }
      process.stderr.write(`round ${round}/${options.rounds} ${contestant.label}: ${shown}\n`);
    }
  }
  return results;
}

/** True when no measurement failed. */
export function areGood(results: AllResults<unknown>): boolean {
  return [...results.values()].every(({ errors }) => errors.length === 0);
}

/**
 * The median over the rounds of a contestant's cost divided by the yardstick's in the same round, with as
 * many threads; undefined when they have no round in common.
 */
export function ratioToYardstick<Sample>(
  results: AllResults<Sample>,
  contestant: Contestant,
  cost: Cost<Sample>,
): number | undefined {
  const threads = Math.max(contestant.threads, YARDSTICK.threadsMin);
  const isYardstick = (other: Contestant): boolean => other.peer === YARDSTICK && other.threads === threads;
  const yardstick = [...results].find(([other]) => isYardstick(other))?.[1].samples ?? [];
  const ratios = (results.get(contestant)?.samples ?? []).flatMap((sample, round) => {
    const base = yardstick[round];
    return sample === undefined || base === undefined ? [] : [cost(sample) / cost(base)];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

/** The ratios of those with so many threads, by the name of the peer. */
export function ratiosOf<Sample>(
  results: AllResults<Sample>,
  cost: Cost<Sample>,
  threads = 1,
): Map<string, number> {
  const ratios = new Map<string, number>();
  for (const contestant of results.keys()) {
    const ratio = ratioToYardstick(results, contestant, cost);
    if (contestant.threads === threads && ratio !== undefined) ratios.set(contestant.peer.name, ratio);
  }
  return ratios;
}

/** One row a contestant: its columns, its ratio by `cost`, its errors. Those that are absent say why. */
export function resultsTable<Sample>(
  results: AllResults<Sample>,
  absent: readonly Absent[],
  cost: Cost<Sample>,
  columns: readonly Column<Sample>[],
): string {
  const head = ["proxy", `x ${YARDSTICK.name}`, ...columns.map((column) => column.head), "errors"];
  const rows = [...results].map(([contestant, { samples, errors }]) => {
    const good = samples.filter((sample) => sample !== undefined);
    const cells = columns.map((column) => (good.length === 0 ? "-" : column.cell(good)));
    const ratio = ratioToYardstick(results, contestant, cost)?.toFixed(2) ?? "-";
    return [contestant.label, ratio, ...cells, errors.length === 0 ? "none" : errors.join("; ")];
  });
  const missing = absent.map(({ label, reason }) => [
    label,
    "-",
    ...columns.map(() => "-"),
    `not there yet: ${reason}`,
  ]);
  return markdownTable(head, [...rows, ...missing]);
}

/** A column with the median of what `read` finds. */
export function middle<Sample>(
  head: string,
  read: (sample: Sample) => number,
  show: (value: number) => string,
): Column<Sample> {
  return { head, cell: (samples) => show(median(samples.map(read))) };
}

/** A column with the lowest and the highest of what `read` finds. */
export function span<Sample>(
  head: string,
  read: (sample: Sample) => number,
  show: (value: number) => string,
): Column<Sample> {
  return {
    head,
    cell: (samples) => {
      const values = samples.map(read);
      return `${show(Math.min(...values))}-${show(Math.max(...values))}`;
    },
  };
}

/** How the numbers of a table came about. */
export function describeRounds({ rounds, seconds }: BenchOptions): string {
  return `Medians of ${rounds} x ${seconds} s, interleaved; the ratio is the median of the rounds' ratios.`;
}

function newResults<Sample>(): Results<Sample> {
  return { samples: [], errors: [] };
}
