// `npm test`: everything that needs only Node and Python's standard library. `npm test -- FILES` runs those
// files.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

const only = process.argv.slice(2);
/** Rooms that run apart: after the others, or by a command of their own (`npm run test:integration`). */
const APART = new Set(["faults", "integration"]);
const ROOMS = readdirSync("test").filter((name) => !APART.has(name) && !name.includes("."));
const steps: readonly Step[] = [
  { name: "types", command: "tsc", args: ["--noEmit", "-p", "tsconfig.json"] },
  { name: "lint", command: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", command: "oxfmt", args: ["--check", "."] },
  {
    name: "python",
    command: "python3",
    args: ["-B", "-m", "unittest", "discover", "-s", "python/tests", "-t", "python"],
    advice: "python3 (3.9 or later, standard library) runs the tests of python/: install it",
  },
];
const tests: Step = {
  name: "tests",
  command: process.execPath,
  args: [
    "--test",
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    "--test-timeout=120000",
    ...(only.length > 0 ? only : ["test/*.test.ts", ...ROOMS.map((room) => `test/${room}/**/*.test.ts`)]),
  ],
};

/** Fault rows open thousands of connections: after the others, so that neither disturbs the other. */
const faults: Step = {
  name: "faults",
  command: process.execPath,
  args: ["--test", "--test-concurrency=2", "--test-timeout=120000", "test/faults/*.test.ts"],
};

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly advice?: string;
}

for (const step of only.length > 0 ? [tests] : [...steps, tests, faults]) {
  const started = performance.now();
  const { status, error } = spawnSync(step.command, step.args, { stdio: "inherit" });
  if (error !== undefined) process.stderr.write(`${step.name}: ${step.advice ?? error.message}\n`);
  if (status !== 0) {
    process.stderr.write(`npm test: "${step.name}" failed\n`);
    process.exit(1);
  }
  process.stdout.write(`${step.name}: ok (${Math.round((performance.now() - started) / 1000)} s)\n`);
}
