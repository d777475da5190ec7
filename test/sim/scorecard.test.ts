// The scorecard: its statistics and verdicts by hand, and whole small ones, broken off and gone on with.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import {
  COLUMNS,
  faultTexts,
  type Column,
  fingerprint,
  type Selection,
  SMOKE,
  WHOLE,
} from "../../scripts/scorecard/columns.ts";
import { CodeHash } from "../../scripts/scorecard/code-hash.ts";
import { page } from "../../scripts/scorecard/page.ts";
import { picture } from "../../scripts/scorecard/picture.ts";
import { Results } from "../../scripts/scorecard/results.ts";
import { runAll, tasksOf } from "../../scripts/scorecard/run-all.ts";
import { type Task, TaskRunner } from "../../scripts/scorecard/run-task.ts";
import { estimate, pairedDifference, ranks } from "../../scripts/scorecard/statistics.ts";
import {
  type Cell,
  type CellRow,
  cellsOf,
  isHeld,
  judge,
  of,
  rankSums,
} from "../../scripts/scorecard/verdict.ts";
import { parseFault } from "../../src/sim/faults.ts";
import type { Score } from "../../src/sim/score.ts";

const folder = mkdtempSync(join(tmpdir(), "evener-scorecard-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a mean with its confidence interval, by hand", () => {
  // Student's t with 9 degrees of freedom: 2.262; the sample's deviation is 3.0277, its root of ten 3.1623.
  const ten = estimate([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(ten.mean, 5.5);
  assert.ok(Math.abs(ten.margin - 2.1658) < 1e-3, String(ten.margin));
  assert.equal(estimate([4, 4, 4]).margin, 0);
  assert.ok(Number.isNaN(estimate([4]).margin), "one sample says nothing of its error");
});

test("differences are taken seed by seed: what is hard for both does not blur them", () => {
  const { mean, margin } = pairedDifference([10, 20, 30], [11, 21, 31]);
  assert.deepEqual([mean, margin], [-1, 0]);
});

test("equal values share the mean of their places; what was not measured is last", () => {
  assert.deepEqual(ranks([3, 1, 2], true), [3, 1, 2]);
  assert.deepEqual(ranks([3, 1, 3], false), [1.5, 3, 1.5]);
  assert.deepEqual(ranks([Number.NaN, 5, 5, 5], true), [4, 2, 2, 2]);
});

const BLANK: Score = {
  requests: 100,
  ttftMeanS: 1,
  ttftP50S: 1,
  ttftP99S: 1,
  tpotMeanS: 0.02,
  answerMeanS: 1,
  goodput: 1,
  hitRate: 0,
  refused: 0,
  lost: 0,
  jain: 1,
  busyShare: 1,
  preemptions: 0,
};

function cell(rows: Readonly<Record<string, readonly Partial<Score>[]>>): Cell {
  const made = Object.entries(rows).map(([policy, given]): CellRow => {
    const scores = given.map((one) => ({ ...BLANK, ...one }));
    return { policy, scores, goodput: of(scores, "goodput"), ttftMeanS: of(scores, "ttftMeanS") };
  });
  return { column: COLUMNS[0]!, engine: "a100-8b", capacityPerS: 4, rows: made };
}

test("within 2 points of goodput and 5 % of mean TTFT is held, further is not", () => {
  const near = cell({ inference: [{ goodput: 0.981, ttftMeanS: 1.049 }], lpwl: [{}] });
  assert.ok(isHeld(judge(near, "inference")));
  const slow = judge(cell({ inference: [{ ttftMeanS: 1.06 }], lpwl: [{}] }), "inference");
  assert.deepEqual([slow.isGoodputHeld, slow.isTtftHeld, slow.bestTtft.policy], [true, false, "lpwl"]);
  const bad = judge(cell({ inference: [{ goodput: 0.97 }], lpwl: [{}] }), "inference");
  assert.deepEqual([bad.isGoodputHeld, bad.isTtftHeld, bad.isGoodputFirst], [false, true, false]);
});

test("who leaves requests unanswered is no measure of first tokens", () => {
  const { bestTtft, isTtftHeld } = judge(
    cell({
      inference: [{}],
      hash: [{ ttftMeanS: 0.1, refused: 2, goodput: 0.5 }],
      lpwl: [{ ttftMeanS: 1.5 }],
    }),
    "inference",
  );
  assert.deepEqual([bestTtft.policy, isTtftHeld], ["inference", true]);
});

test("ranks are summed over cells; what nobody could see in the tables is equal", () => {
  const first = cell({ inference: [{ goodput: 0.9001 }], lpwl: [{ goodput: 0.9004 }] });
  const second = cell({ inference: [{ ttftMeanS: 1 }], lpwl: [{ ttftMeanS: 1.2 }] });
  assert.deepEqual(rankSums([first, second]), [
    { policy: "inference", goodput: 3, ttft: 2.5, total: 5.5, held: 2 },
    { policy: "lpwl", goodput: 3, ttft: 3.5, total: 6.5, held: 1 },
  ]);
});

test("every column can be run, has a name of its own, and faults at times of its own", () => {
  assert.equal(new Set(COLUMNS.map(({ name }) => name)).size, COLUMNS.length);
  const prints = new Set([...WHOLE.columns, ...SMOKE.columns].map(fingerprint));
  assert.equal(prints.size, 2 * COLUMNS.length);
  const joins = COLUMNS.find(({ name }) => name === "scale_out")!;
  assert.deepEqual(faultTexts(joins, 1000), ["8: joins at 500.000s", "9: joins at 500.000s"]);
  for (const column of COLUMNS) for (const text of faultTexts(column, 1234)) parseFault(text);
});

test("seeds have stretches of a trace of their own, in the order of the trace", () => {
  const column = { ...COLUMNS.find(({ name }) => name === "conversation_raw")!, requests: 60 };
  const runner = new TaskRunner();
  const task: Omit<Task, "seed"> = { column, engine: "a100-8b", policy: "round_robin", seeds: 3 };
  const scores = [1, 2, 3].map((seed) => runner.run({ ...task, seed }).score);
  assert.deepEqual(new Set(scores.map(({ requests }) => requests)), new Set([60]));
  assert.equal(new Set(scores.map(({ ttftMeanS }) => ttftMeanS)).size, 3);
  assert.deepEqual(runner.run({ ...task, seed: 2 }).score, scores[1]);
});

/** Three columns, small: a trace with faults, made-up groups, a closed loop. */
const SMALL: Selection = {
  columns: ["slow_worker", "shared_prefix", "agents"].map((name): Column => {
    return { ...COLUMNS.find((column) => column.name === name)!, requests: 40 };
  }),
  engines: ["a100-8b", "mocker"],
  policies: ["inference", "least_request", "lpwl"],
  seeds: 2,
};

test("a scorecard that is broken off goes on, and its page has every cell", async () => {
  const file = join(folder, "results.jsonl");
  const tasks = tasksOf(SMALL);
  assert.equal(tasks.length, 3 * 2 * 3 * 2);
  await runAll(tasks.slice(0, 10), new Results(file), () => {});
  // Broken off in the middle of a line.
  appendFileSync(file, '{"key":"half');
  appendFileSync(file, "\n");
  const shares: number[] = [];
  const results = new Results(file);
  await runAll(tasks, results, (share) => shares.push(share));
  assert.equal(shares.length, 26);
  assert.equal(shares.at(-1), 1);
  await runAll(tasks, new Results(file), () => assert.fail("all was known"));
  assert.equal(readFileSync(file, "utf8").trim().split("\n").length, 37);

  const cells = cellsOf(SMALL, new Results(file));
  assert.deepEqual(cells, cellsOf(SMALL, results), "what was read is what was run");
  const text = page(SMALL, cells, "code");
  for (const column of SMALL.columns) assert.ok(text.includes(`## ${column.title}\n`));
  assert.equal(text.match(/^\| `lpwl` \|/gm)!.length, 7, "a row in each table, and one among the ranks");
  const svg = picture(SMALL, cells);
  assert.equal(svg.match(/<path class="ours"/g)!.length, 7);
  assert.ok(!/NaN|undefined/.test(svg + text));
});

test("rivals do not depend on the policies of the product: a change there leaves their results", () => {
  const code = new CodeHash();
  assert.equal(code.of("inference"), code.ours);
  assert.equal(code.of("lpwl"), code.rivals);
  assert.notEqual(code.ours, code.rivals);
});
