// `isolated-run.ts ROW LENGTH SEED`, in namespaces of its own: one run, and one line of JSON about it.
import { spawnSync } from "node:child_process";
import { writeFileSync, writeSync } from "node:fs";
import type { Outcome } from "./results.ts";
import { ROWS } from "./rows/index.ts";
import { type Figures, type Length, runRow } from "./trial.ts";

function prepareNamespace(): void {
  const { status, stderr } = spawnSync("ip", ["link", "set", "lo", "up"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip link set lo up: ${stderr}`);
  // Thousands of readers that read nothing: what the kernel holds for each must be small.
  writeFileSync("/proc/sys/net/ipv4/tcp_rmem", "4096 65536 262144");
  writeFileSync("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 262144");
  writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
}

const [name, length, seed] = process.argv.slice(2);
const row = ROWS.find((it) => it.name === name);
if (row === undefined) throw new Error(`there is no row "${name}"`);
// Whoever started it has gone: as the first process of its namespace it takes all others with it.
process.stdin.resume();
process.stdin.on("end", () => process.exit(1));
prepareNamespace();
const beganMs = performance.now();
let failure: string | null = null;
let figures: Figures = {};
try {
  figures = await runRow(row, length as Length, Number(seed));
} catch (error) {
  failure = (error as Error).message;
}
const outcome: Outcome = { failure, figures, seconds: (performance.now() - beganMs) / 1000 };
writeSync(1, `${JSON.stringify(outcome)}\n`);
process.exit(0);
