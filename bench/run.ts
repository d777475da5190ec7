/** `npm run bench -- NAME [flags]`: the one way into the benches. Exit codes: 0, 1 failed, 2 wrong usage. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { didYouMean } from "../src/config/suggest.ts";
import { calibrate } from "./calibration.ts";
import { type BenchOptions, FLAGS_HELP, readOptions, UsageError } from "./measure/options.ts";
import { comparePeers } from "./peers/compare.ts";
import { compareRouters } from "./routers/compare.ts";
import { compareTasks } from "./tasks/compare.ts";
import { WORKLOADS } from "./peers/workloads/index.ts";

interface Bench {
  summary: string;
  /** Resolves to false when something failed that is in its output. */
  run(options: BenchOptions): Promise<boolean>;
}

const BENCHES: ReadonlyMap<string, Bench> = new Map([
  ["peers", { summary: "CPU, memory and latency beside nginx, HAProxy and others", run: comparePeers }],
  [
    "routers",
    { summary: "behind LLM engines: our policies and real routers of others, live", run: compareRouters },
  ],
  ["tasks", { summary: "the queue: tasks a second and latency, beside Dask", run: compareTasks }],
  ["micro", { summary: "single parts of the data plane: every file of bench/micro", run: runMicro }],
]);

const MICRO_FILE_MS_MAX = 120_000;

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === "--help") {
    process.stdout.write(`${usage()}\n`);
    return 0;
  }
  const bench = BENCHES.get(name);
  if (bench === undefined) {
    const hint = didYouMean(name, BENCHES.keys());
    process.stderr.write(`bench: no bench "${name}"${hint === undefined ? "" : `; ${hint}`}\n\n${usage()}\n`);
    return 2;
  }
  const interrupt = new AbortController();
  const exitCodes = new Map<NodeJS.Signals, number>([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ]);
  let exitCode = 1;
  for (const [signal, code] of exitCodes) {
    process.on(signal, () => {
      exitCode = code;
      interrupt.abort(new Error(`ended by ${signal}`));
    });
  }
  try {
    return (await bench.run(readOptions(name, args, interrupt.signal))) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`bench ${name}: ${explain(error)}\n`);
    return error instanceof UsageError ? 2 : exitCode;
  }
}

/** A plain `Error` was written for a person; anything else is a bug of ours, whose stack is worth a look. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOurs = error.constructor === Error || error instanceof UsageError;
  return isOurs ? error.message : (error.stack ?? error.message);
}

function usage(): string {
  const benches = [...BENCHES].map(([name, { summary }]) => `  ${name.padEnd(17)} ${summary}`);
  const workloads = WORKLOADS.map(({ name, summary }) => `  ${name.padEnd(17)} ${summary}`);
  return [
    "usage: npm run bench -- NAME [flags]",
    "",
    ...benches,
    "",
    FLAGS_HELP,
    "",
    "workloads of peers:",
    ...workloads,
  ].join("\n");
}

/** One after another, each in a process of its own: what one compiled and allocated is not the next one's. */
async function runMicro(options: BenchOptions): Promise<boolean> {
  const folder = fileURLToPath(new URL("micro/", import.meta.url));
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".ts"))
    .sort();
  if (files.length === 0) throw new Error("there is no micro bench in bench/micro");
  process.stdout.write(`calibration: ${calibrate().toFixed(2)} ns a step, Node ${process.version}\n`);
  const failed: string[] = [];
  for (const file of files) {
    options.signal.throwIfAborted();
    process.stdout.write(`\n${file}\n`);
    const how = await runFile(path.join(folder, file), options);
    if (how !== 0) failed.push(`${file} (${how})`);
  }
  if (failed.length > 0) process.stderr.write(`bench micro: failed: ${failed.join(", ")}\n`);
  return failed.length === 0;
}

function runFile(file: string, options: BenchOptions): Promise<number | string> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(MICRO_FILE_MS_MAX)]);
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const child = spawn(process.execPath, [file, ...(options.smoke ? ["--smoke"] : [])], {
    stdio: "inherit",
    signal,
  });
  child.once("error", (error) => resolve(signal.aborted ? "out of time or interrupted" : error.message));
  child.once("exit", (code, killedBy) => resolve(code ?? killedBy ?? "unknown"));
  return promise;
}
