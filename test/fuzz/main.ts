// `npm run fuzz`: what strangers can send, against what must hold whatever they send.
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { keep } from "./corpus.ts";
import { inputOf, type Target } from "./target.ts";
import { TARGETS } from "./targets/index.ts";
import type { Order, Report } from "./worker.ts";

const USAGE = `usage: npm run fuzz -- [MINUTES] [--target NAME]... [--seed S] [--case N] [--collect]

  MINUTES        for all targets together, such as 0.5 (default: 1)
  --target NAME  only that target; may be repeated
  --seed S       the seed of a run before: the same cases in the same order
  --case N       only that case, with the seed and the target that it was found with
  --collect      also saves a case of each kind of outcome that the corpus does not have

What is found is made shorter and saved in test/fuzz/corpus/, where npm test checks it from then on.

Targets:
${TARGETS.map(({ name, about }) => `  ${name.padEnd(15)}${about}`).join("\n")}
`;

interface Plan {
  readonly targets: readonly Target[];
  readonly minutes: number;
  readonly seed: number;
  /** null: as many as there is time for. */
  readonly only: number | null;
  readonly isCollecting: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const plan = read(args);
  if (typeof plan === "string") {
    process.stderr.write(`fuzz: ${plan}\n\n${USAGE}`);
    return 2;
  }
  process.stdout.write(`seed ${plan.seed}\n`);
  let findings = 0;
  for (const target of plan.targets) findings += await runTarget(target, plan);
  process.stdout.write(findings === 0 ? "all holds\n" : `${findings} findings\n`);
  return findings === 0 ? 0 : 1;
}

function read(args: readonly string[]): Plan | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        target: { type: "string", multiple: true, default: [] },
        seed: { type: "string" },
        case: { type: "string" },
        collect: { type: "boolean", default: false },
      },
    });
    const unknown = values.target.find((name) => !TARGETS.some((target) => target.name === name));
    if (unknown !== undefined) return `there is no target "${unknown}"`;
    const minutes = numberOf(positionals[0] ?? "1", /^\d{1,6}(?:\.\d{1,6})?$/);
    const seed = numberOf(values.seed ?? String(Math.floor(Math.random() * SEEDS)), /^\d{1,10}$/);
    const only = values.case === undefined ? null : numberOf(values.case, /^\d{1,10}$/);
    if (positionals.length > 1 || !(minutes > 0)) return "MINUTES is one number above 0";
    if (!(seed < SEEDS) || Number.isNaN(only)) return "--seed and --case take a whole number";
    if (only !== null && (values.seed === undefined || values.target.length !== 1))
      return "--case needs --seed and one --target: it counts the cases of these";
    const targets = TARGETS.filter(({ name }) => values.target.length === 0 || values.target.includes(name));
    return { targets, minutes, seed, only, isCollecting: values.collect };
  } catch (error) {
    return (error as Error).message;
  }
}

function numberOf(text: string, form: RegExp): number {
  return form.test(text) ? Number(text) : Number.NaN;
}

/** Runs one target, prints its line and returns the number of its findings. */
async function runTarget(
  target: Target,
  { targets, minutes, seed, only, isCollecting }: Plan,
): Promise<number> {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const order: Order = {
    target: target.name,
    seed,
    from: only ?? 0,
    casesMax: only === null ? Number.POSITIVE_INFINITY : 1,
    durationMs: (minutes * 60_000) / targets.length,
    isCollecting,
    current,
  };
  if (only !== null) process.stdout.write(`${JSON.stringify(inputOf(target, seed, only))}\n`);
  const fromMs = performance.now();
  let findings = 0;
  const onFinding = (number: number, message: string, input: string): void => {
    findings++;
    const reason = `seed ${seed}, case ${number}: ${message}`.slice(0, REASON_LENGTH_MAX);
    const file = keep(target.name, reason, input);
    const again = `npm run fuzz -- --seed ${seed} --target ${target.name} --case ${number}`;
    process.stdout.write(
      `${target.name}, case ${number}: ${message}\n  ${JSON.stringify(input)}\n  ${file}\n  ${again}\n`,
    );
  };
  const end = await watch(order, (report) => {
    if (report.kind === "finding") onFinding(report.number, report.message, report.input);
    if (report.kind === "outcome") keep(target.name, `a case of: ${report.message}`, report.input);
  });
  if (typeof end === "string") onFinding(current[0]!, end, inputOf(target, seed, current[0]!));
  else {
    const seconds = ((performance.now() - fromMs) / 1000).toFixed(1);
    process.stdout.write(
      `${target.name.padEnd(15)} ${end.cases} cases, ${end.outcomes} kinds of outcomes, ${seconds} s\n`,
    );
  }
  return findings;
}

type End = Extract<Report, { kind: "end" }>;

/** Runs the worker to its end; a text says how it broke off. */
function watch(order: Order, onReport: (report: Report) => void): Promise<End | string> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: order });
    let before = -1;
    const watching = setInterval(() => {
      const now = Atomics.load(order.current, 0);
      if (now === before && order.casesMax > 1) finish(`hangs: no end within ${HANG_MS} ms`);
      before = now;
    }, HANG_MS);
    let isOver = false;
    const finish = (end: End | string): void => {
      if (isOver) return;
      isOver = true;
      clearInterval(watching);
      void worker.terminate().then(() => resolve(end));
    };
    worker.on("message", (report: Report) => {
      onReport(report);
      // A finding was made shorter meanwhile, which takes its time.
      before = -1;
      if (report.kind === "end") finish(report);
    });
    worker.on("error", (error) => finish(`crashes: ${String(error)}`));
    worker.on("exit", (code) => finish(`ends with ${code}`));
  });
}

/** No case takes a hundredth of it, on a busy machine either; one that is made shorter takes some seconds. */
const HANG_MS = 30_000;
const SEEDS = 2 ** 32;
const REASON_LENGTH_MAX = 500;

process.exitCode = await main(process.argv.slice(2));
