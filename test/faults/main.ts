// `npm run faults`: the fault matrix at full length, in namespaces of its own (network, mounts, processes).
import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { note, noted, table } from "./results.ts";
import type { Row } from "./row.ts";
import { ROWS } from "./rows/index.ts";
import { type Figures, type Length, runRow } from "./trial.ts";

const USAGE = `usage: npm run faults -- [--smoke] [--row NAME]... [--runs N] [--seed N]
       [--only-missing] [--table]

  --smoke      each row once, for a few seconds
  --row NAME   only that row, such as 7 or slowloris; may be repeated
  --runs N     so many runs of each row (default: 20, and 3 of those that take more than a minute)
  --seed N     the first run's seed; each further run counts one up
  --only-missing   runs at full length that tmp/faults.jsonl does not have yet: every run is noted there
  --table      no runs: what was noted, as a table in Markdown

Rows:
${ROWS.map(({ name, title }) => `  ${name.padEnd(11)}${title}`).join("\n")}
`;

/** What a command line asks for. */
interface Plan {
  readonly rows: readonly Row[];
  readonly runs: number | null;
  readonly seed: number;
  readonly length: Length;
  readonly onlyMissing: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const plan = read(args);
  if (typeof plan === "string") {
    process.stderr.write(`faults: ${plan}\n\n${USAGE}`);
    return 2;
  }
  if (plan === null) {
    process.stdout.write(table(ROWS));
    return 0;
  }
  if (process.env.EVENER_FAULTS_NAMESPACE !== undefined) {
    prepareNamespace();
    return runAll(plan);
  }
  const missing = whatIsMissing();
  if (missing.length > 0) {
    process.stderr.write(`faults: ${missing.join("\nfaults: ")}\n`);
    return 1;
  }
  return inNamespace(args);
}

/** Null: the table is asked for; a text says what is wrong. */
function read(args: readonly string[]): Plan | string | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        smoke: { type: "boolean", default: false },
        row: { type: "string", multiple: true, default: [] },
        runs: { type: "string" },
        seed: { type: "string" },
        "only-missing": { type: "boolean", default: false },
        table: { type: "boolean", default: false },
      },
    });
    if (values.table) return null;
    const unknown = values.row.find((name) => !ROWS.some((row) => row.name === name));
    if (unknown !== undefined) return `there is no row "${unknown}"`;
    const number = (text: string | undefined, otherwise: number | null): number | null =>
      text === undefined ? otherwise : /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.NaN;
    const runs = number(values.runs, values.smoke ? 1 : null);
    const seed = number(values.seed, 1 + Math.floor(Math.random() * 1e8));
    if (Number.isNaN(runs) || Number.isNaN(seed)) return "--runs and --seed take a whole number from 1";
    const rows = ROWS.filter(({ name }) => values.row.length === 0 || values.row.includes(name));
    const length = values.smoke ? "short" : "full";
    return { rows, runs, seed: seed!, length, onlyMissing: values["only-missing"] };
  } catch (error) {
    return (error as Error).message;
  }
}

function whatIsMissing(): string[] {
  if (process.platform !== "linux") return ["it needs Linux: namespaces, nft, cgroups"];
  const missing: string[] = [];
  if (process.getuid!() !== 0) missing.push("it needs root, for its own namespaces: run it with sudo");
  const lacks = Object.entries(PACKAGES).filter(([program]) => !isInstalled(program));
  if (lacks.length > 0) {
    const packages = [...new Set(lacks.map(([, debian]) => debian))].join(" ");
    const programs = lacks.map(([program]) => program).join(", ");
    missing.push(`it needs ${programs}: apt-get update && apt-get install -y ${packages}`);
  }
  return missing;
}

/** Programs and Debian's packages of them. */
const PACKAGES: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  prlimit: "util-linux",
  mount: "mount",
  nft: "nftables",
  ip: "iproute2",
};

const FOLDERS: readonly string[] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

function isInstalled(program: string): boolean {
  return FOLDERS.some((folder) => existsSync(`${folder}/${program}`));
}

/** This program once more, inside; whatever it has started ends with it. */
function inNamespace(args: readonly string[]): Promise<number> {
  const flags = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const self = fileURLToPath(import.meta.url);
  const child = spawn("unshare", [...flags, process.execPath, self, ...args], {
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:${FOLDERS.join(":")}`,
      EVENER_FAULTS_NAMESPACE: String(process.pid),
    },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // unshare ignores the others while it waits; all that runs in its namespaces dies with it.
    process.on(signal, () => child.kill("SIGKILL"));
  }
  return new Promise((resolve) => {
    child.on("error", (error) => {
      process.stderr.write(`faults: unshare: ${error.message}\n`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      if (signal !== null) process.stderr.write(`faults: ended by ${signal}\n`);
      resolve(code ?? 1);
    });
  });
}

function prepareNamespace(): void {
  const { status, stderr } = spawnSync("ip", ["link", "set", "lo", "up"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip link set lo up: ${stderr}`);
  // Thousands of readers that read nothing: what the kernel holds for each must be small.
  writeFileSync("/proc/sys/net/ipv4/tcp_rmem", "4096 65536 262144");
  writeFileSync("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 262144");
  writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
}

async function runAll({ rows, runs, seed, length, onlyMissing }: Plan): Promise<number> {
  process.stdout.write("row         runs  failed  seconds  seeds                  figures of the last run\n");
  let failures = 0;
  for (const row of rows) {
    const done = onlyMissing ? noted().filter((it) => it.row === row.name).length : 0;
    const count = (runs ?? (row.isLong === true ? RUNS_LONG : RUNS)) - done;
    if (count <= 0) continue;
    const result = await runOften(row, length, seed, count);
    failures += result.failed.length;
    const figures = Object.entries(result.figures).map(([name, value]) => `${name}: ${value}`);
    const numbers = [count, result.failed.length, Math.round(result.seconds)].map(String);
    const cells = `${numbers[0]!.padStart(4)}  ${numbers[1]!.padStart(6)}  ${numbers[2]!.padStart(7)}`;
    const seeds = `${seed}..${seed + count - 1}`;
    process.stdout.write(`${row.name.padEnd(10)}  ${cells}  ${seeds.padEnd(21)}  ${figures.join("; ")}\n`);
    for (const text of result.failed) process.stdout.write(`${text.replaceAll(/^/gm, "    ")}\n`);
  }
  const again = "npm run faults -- --row NAME --runs 1 --seed SEED repeats one run";
  process.stdout.write(failures === 0 ? "all rows hold\n" : `${failures} runs failed; ${again}\n`);
  return failures === 0 ? 0 : 1;
}

interface Result {
  readonly failed: readonly string[];
  readonly seconds: number;
  readonly figures: Figures;
}

async function runOften(row: Row, length: Length, seed: number, count: number): Promise<Result> {
  const failed: string[] = [];
  let figures: Figures = {};
  const fromMs = performance.now();
  for (let run = 0; run < count; run++) {
    const beganMs = performance.now();
    let failure: string | null = null;
    try {
      figures = await runRow(row, length, seed + run);
    } catch (error) {
      failure = (error as Error).message;
      failed.push(failure);
    }
    const seconds = (performance.now() - beganMs) / 1000;
    if (length === "full") note({ row: row.name, seed: seed + run, seconds, failure, figures });
  }
  return { failed, seconds: (performance.now() - fromMs) / 1000, figures };
}

const RUNS = 20;
const RUNS_LONG = 3;

process.exitCode = await main(process.argv.slice(2));
