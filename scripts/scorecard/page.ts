import type { Selection } from "./columns.ts";
import type { Estimate } from "./statistics.ts";
import {
  type Cell,
  type CellRow,
  goodputRanks,
  isHeld,
  judge,
  of,
  type RankSum,
  rankSums,
  ttftRanks,
  type Verdict,
} from "./verdict.ts";

/** The policy that the page is about. */
export const OURS = "inference";

/** docs/scorecard.md: what was run, the verdicts, the losing cells, and every figure. */
export function page(selection: Selection, cells: readonly Cell[], code: string): string {
  const verdicts = cells.map((cell) => judge(cell, OURS));
  const parts = [
    head(selection, code),
    summary(selection, verdicts),
    losing(verdicts),
    sums(rankSums(cells), cells.length),
    ...selection.columns.map((column) => {
      const own = cells.filter((cell) => cell.column === column);
      const tables = own.map((cell) => table(cell)).join("\n\n");
      return `## ${column.title}\n${tables}`;
    }),
  ];
  return `${parts.join("\n\n")}\n`;
}

function head({ columns, engines, policies, seeds }: Selection, code: string): string {
  const runs = `${policies.length} policies, ${seeds} seed${seeds === 1 ? "" : "s"}`;
  return `# Scorecard
<!-- Written by npm run sim. -->

Every policy of the product and every [rival](internals/rivals.md) in the [simulator](simulator.md):
${columns.length} kinds of traffic on ${engines.length} engine models (${engines.join(", ")}),
8 engines, ${runs}.
\`npm run sim\` runs it again (code ${code}).

Rates are multiples of the measured capacity and were chosen before any result. \`+-\` is half of the 95 %
confidence interval of the mean (Student's t over the seeds). Seeds draw jitter, made-up requests and dice; in
all columns from a trace but the first one, each seed also has another stretch of the trace. Goodput is the
share of all requests with a first token within 1 s + input / 8000 s and a TPOT of at most 50 ms.

![Goodput of all policies](scorecard.svg)`;
}

function summary({ columns, engines }: Selection, verdicts: readonly Verdict[]): string {
  const held = verdicts.filter(isHeld).length;
  const lines = columns.map((column) => {
    const words = engines.map((engine) => {
      const verdict = verdicts.find(({ cell }) => cell.column === column && cell.engine === engine)!;
      return verdictWords(verdict);
    });
    return `| ${column.title} | ${words.join(" | ")} |`;
  });
  return `## How \`${OURS}\` does
Asked for: goodput the best or within 2 points of it, and mean TTFT the best or within 5 % of it. Held in
${held} of ${verdicts.length} cells. A cell says goodput and mean TTFT: "first", or how far from the best one;
**bold** where it is further than asked for.

| column | ${engines.join(" | ")} |
| --- |${" --- |".repeat(engines.length)}
${lines.join("\n")}`;
}

function verdictWords({ isGoodputFirst, isTtftFirst, goodputGap, ttftGap, ...rest }: Verdict): string {
  const goodput = isGoodputFirst ? "first" : `${(goodputGap.mean * 100).toFixed(1)} points`;
  const ttft = isTtftFirst ? "first" : `+${(ttftGap.mean * 100).toFixed(0)} %`;
  return `${bold(goodput, !rest.isGoodputHeld)}; ${bold(ttft, !rest.isTtftHeld)}`;
}

function losing(verdicts: readonly Verdict[]): string {
  const lines = verdicts.filter((verdict) => !isHeld(verdict)).map(losingLine);
  if (lines.length === 0) return "## Losing cells\nNone.";
  return `## Losing cells
What is further from the best than asked for, with the 95 % confidence interval of the difference, seed by
seed.

| cell | goodput | mean TTFT |
| --- | --- | --- |
${lines.join("\n")}`;
}

function losingLine(verdict: Verdict): string {
  const { cell, bestGoodput, bestTtft, goodputGap, ttftGap, isGoodputHeld, isTtftHeld } = verdict;
  const own = cell.rows.find(({ policy }) => policy === OURS)!;
  let goodput = "";
  if (!isGoodputHeld) {
    const gap = `${(goodputGap.mean * 100).toFixed(1)}${margin(goodputGap.margin * 100, 1)} points`;
    const values = `${own.goodput.mean.toFixed(3)} against ${bestGoodput.goodput.mean.toFixed(3)}`;
    goodput = `${values} of \`${bestGoodput.policy}\`: ${gap}`;
  }
  let ttft = "";
  if (!isTtftHeld) {
    const gap = `+${(ttftGap.mean * 100).toFixed(0)}${margin(ttftGap.margin * 100, 0)} %`;
    const values = `${seconds(own.ttftMeanS.mean)} against ${seconds(bestTtft.ttftMeanS.mean)}`;
    ttft = `${values} of \`${bestTtft.policy}\`: ${gap}`;
  }
  return `| **${cell.column.name}, ${cell.engine}** | ${goodput} | ${ttft} |`;
}

function sums(rows: readonly RankSum[], cells: number): string {
  const lines = rows.map(({ policy, goodput, ttft, total, held }) => {
    const cellsOf = [`\`${policy}\``, number(goodput), number(ttft), number(total), `${held} of ${cells}`];
    return `| ${cellsOf.map((text) => bold(text, policy === OURS)).join(" | ")} |`;
  });
  return `## Sum of ranks
Places over all cells, 1 is the best; equal ones (to a tenth of a point, to three digits) share the mean of
their places.
"Near the best": within 2 points of goodput and 5 % of mean TTFT.

| policy | by goodput | by mean TTFT | sum | near the best |
| --- | ---: | ---: | ---: | ---: |
${lines.join("\n")}`;
}

/** One cell, the best goodput first. */
function table(cell: Cell): string {
  const { column, engine, capacityPerS, rows } = cell;
  const goodputPlaces = goodputRanks(cell);
  const ttftPlaces = ttftRanks(cell);
  const order = rows
    .map((_, index) => index)
    .sort((a, b) => goodputPlaces[a]! - goodputPlaces[b]! || ttftPlaces[a]! - ttftPlaces[b]!);
  const lost = !isHeld(judge(cell, OURS));
  const lines = order.map((index) => {
    const isOurs = rows[index]!.policy === OURS;
    return `| ${rowTexts(rows[index]!)
      .map((text) => (isOurs ? bold(text, lost) : text))
      .join(" | ")} |`;
  });
  const perS = (capacityPerS * column.rate).toFixed(2);
  return `### ${engine}: ${perS} requests a second${lost ? `, lost by ${OURS}` : ""}
| policy | mean TTFT | p99 | TPOT | goodput | hit rate | Jain | unanswered |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lines.join("\n")}`;
}

function rowTexts({ policy, scores, goodput, ttftMeanS }: CellRow): string[] {
  return [
    policy === OURS ? `\`${policy}\` (ours)` : `\`${policy}\``,
    withMargin(ttftMeanS, 2, " s"),
    seconds(of(scores, "ttftP99S").mean),
    `${(of(scores, "tpotMeanS").mean * 1000).toFixed(1)} ms`,
    withMargin(goodput, 3, ""),
    of(scores, "hitRate").mean.toFixed(3),
    of(scores, "jain").mean.toFixed(3),
    (of(scores, "refused").mean + of(scores, "lost").mean).toFixed(0),
  ];
}

function withMargin({ mean, margin: half }: Estimate, digits: number, unit: string): string {
  return `${mean.toFixed(digits)}${margin(half, digits)}${unit}`;
}

function margin(half: number, digits: number): string {
  return Number.isNaN(half) ? "" : ` +-${half.toFixed(digits)}`;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

function bold(text: string, isBold: boolean): string {
  return isBold ? `**${text}**` : text;
}
