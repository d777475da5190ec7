// `npm run faults`: the fault matrix at full length, each run in namespaces of its own.
import { parseArgs } from "node:util";
import { breakOff } from "./isolated.ts";
import { whatIsMissing } from "./needs.ts";
import { table } from "./results.ts";
import { ROWS } from "./rows/index.ts";
import { type Plan, runAll } from "./runs.ts";

const USAGE = `usage: npm run faults -- [--smoke] [--row NAME]... [--runs N] [--seed N] [--jobs N]
       [--only-missing] [--table]

  --smoke      each row once, for a few seconds
  --row NAME   only that row, such as 7 or slowloris; may be repeated
  --runs N     so many runs of each row (default: 20, and 3 of those that take more than a minute)
  --seed N     the first run's seed; each further run counts one up
  --jobs N     so many runs at once (default: 1); those of heavy rows, marked *, are always alone
  --only-missing   runs at full length that tmp/faults.jsonl does not have yet: every run is noted there
  --table      no runs: what was noted, as a table in Markdown

Rows:
${ROWS.map(({ name, title, isHeavy }) => `  ${name.padEnd(10)}${isHeavy === true ? "*" : " "}${title}`).join("\n")}
`;

async function main(args: readonly string[]): Promise<number> {
  const plan = read(args);
  if (typeof plan === "string") {
    process.stderr.write(`faults: ${plan}\n\n${USAGE}`);
    return 2;
  }
  if ("text" in plan) {
    process.stdout.write(plan.text);
    return 0;
  }
  const missing = whatIsMissing();
  if (missing.length > 0) {
    process.stderr.write(`faults: ${missing.join("\nfaults: ")}\n`);
    return 1;
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      process.stderr.write(`faults: broken off by ${signal}; what has ended is noted\n`);
      breakOff();
      process.exitCode = 1;
    });
  }
  return (await runAll(plan)) ? 0 : 1;
}

/** A text of its own is all that is asked for; a string says what is wrong. */
function read(args: readonly string[]): Plan | { readonly text: string } | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        smoke: { type: "boolean", default: false },
        row: { type: "string", multiple: true, default: [] },
        runs: { type: "string" },
        seed: { type: "string" },
        jobs: { type: "string" },
        "only-missing": { type: "boolean", default: false },
        table: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return { text: USAGE };
    if (values.table) return { text: table(ROWS) };
    const unknown = values.row.find((name) => !ROWS.some((row) => row.name === name));
    if (unknown !== undefined) return `there is no row "${unknown}"`;
    const number = <T>(text: string | undefined, otherwise: T): number | T =>
      text === undefined ? otherwise : /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.NaN;
    const runs = number(values.runs, values.smoke ? 1 : null);
    const seed = number(values.seed, 1 + Math.floor(Math.random() * 1e8));
    const jobs = number(values.jobs, 1);
    if ([runs, seed, jobs].some(Number.isNaN)) return "--runs, --seed and --jobs take a whole number from 1";
    const rows = ROWS.filter(({ name }) => values.row.length === 0 || values.row.includes(name));
    const length = values.smoke ? "short" : "full";
    return { rows, runs, seed, length, isOnlyMissing: values["only-missing"], jobs };
  } catch (error) {
    return (error as Error).message;
  }
}

process.exitCode = await main(process.argv.slice(2));
