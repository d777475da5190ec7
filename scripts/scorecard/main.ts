// `npm run sim`: runs the scorecard and writes docs/scorecard.md and docs/scorecard.svg. `-- --smoke` runs a
// tenth of each column with one seed, and writes to tmp/. Broken off, it goes on where it was.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { ProgressBar } from "../../src/commands/progress-bar.ts";
import { SMOKE, WHOLE } from "./columns.ts";
import { OURS, page } from "./page.ts";
import { picture } from "./picture.ts";
import { Results } from "./results.ts";
import { runAll, tasksOf } from "./run-all.ts";
import { cellsOf, isHeld, judge, rankSums } from "./verdict.ts";

const USAGE = `npm run sim [-- --smoke]

  --smoke   a tenth of each column, one seed: does everything run? Writes to tmp/scorecard/, not to docs/.
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let isSmoke: boolean;
  try {
    const { values } = parseArgs({
      args,
      options: { smoke: { type: "boolean" }, help: { type: "boolean" } },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    isSmoke = values.smoke === true;
  } catch (error) {
    process.stderr.write(`sim: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  await scorecard(isSmoke);
  return 0;
}

async function scorecard(isSmoke: boolean): Promise<void> {
  const beganMs = performance.now();
  const selection = isSmoke ? SMOKE : WHOLE;
  const results = new Results(pathOf("tmp/scorecard/results.jsonl"));
  const tasks = tasksOf(selection);
  const known = tasks.filter((task) => results.get(task) !== undefined).length;
  if (known > 0) process.stdout.write(`${known} of ${tasks.length} runs are known from before\n`);
  const bar = new ProgressBar();
  try {
    await runAll(tasks, results, (share) => bar.show(share));
  } finally {
    bar.clear();
  }
  const cells = cellsOf(selection, results);
  const folder = isSmoke ? "tmp/scorecard" : "docs";
  mkdirSync(pathOf(folder), { recursive: true });
  writeFileSync(pathOf(`${folder}/scorecard.md`), page(selection, cells, results.code.ours));
  writeFileSync(pathOf(`${folder}/scorecard.svg`), picture(selection, cells));
  const held = cells.filter((cell) => isHeld(judge(cell, OURS))).length;
  const sums = rankSums(cells);
  const place = sums.findIndex(({ policy }) => policy === OURS) + 1;
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  process.stdout.write(
    `${OURS} is the best or near it in ${held} of ${cells.length} cells, and number ${place} of ` +
      `${sums.length} in the sum of ranks\n${tasks.length - known} runs in ${seconds} s, ` +
      `see ${folder}/scorecard.md\n`,
  );
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}
