import { writeFileSync } from "node:fs";
import path from "node:path";

import type { Processes } from "./processes.ts";

/** What to send: as many requests as the connections carry, keep-alive, for `seconds`. */
export interface Load {
  url: string;
  connections: number;
  seconds: number;
  core: number;
  /** POST this JSON; without it, GET. */
  post?: string;
}

/** What wrk reported. Times in ms; `errors` is empty when all answers were 2xx or 3xx, no socket failed. */
export interface LoadReport {
  requests: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: string;
}

/** Runs wrk with one thread (a single core is all it has). */
export async function runWrk(
  program: string,
  load: Load,
  directory: string,
  processes: Processes,
): Promise<LoadReport> {
  const args = ["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--latency", "--timeout", "5s"];
  if (load.post !== undefined) {
    const script = path.join(directory, "post.lua");
    writeFileSync(script, postScript(load.post));
    args.push("-s", script);
  }
  const launch = { name: "wrk", core: load.core, program, args: [...args, load.url] };
  return parseWrk(await processes.run(launch, load.seconds * 1000 + OVERTIME_MS));
}

/** Reads the report of `wrk --latency` (4.x); throws when it is not one or nothing was answered. */
export function parseWrk(output: string): LoadReport {
  const requests = Number(/^\s*(\d+) requests in /m.exec(output)?.[1] ?? 0);
  const requestsPerSecond = Number(/^Requests\/sec:\s*([\d.]+)/m.exec(output)?.[1]);
  const percentile = (share: number): number => {
    const found = new RegExp(String.raw`^\s*${share}%\s+([\d.]+)(us|ms|s|m)\s*$`, "m").exec(output);
    return Number(found?.[1]) * (MS_PER_UNIT[found?.[2] ?? ""] ?? Number.NaN);
  };
  const report = { requests, requestsPerSecond, p50Ms: percentile(50), p99Ms: percentile(99), errors: "" };
  if (requests === 0 || [requestsPerSecond, report.p50Ms, report.p99Ms].some(Number.isNaN)) {
    throw new Error(`wrk did no work:\n${output.trim()}`);
  }
  const errors = output.match(/^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$/gm) ?? [];
  report.errors = errors.map((line) => line.trim().replaceAll(/\s+/g, " ")).join("; ");
  return report;
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
const OVERTIME_MS = 10_000;

function postScript(json: string): string {
  // A Lua long bracket takes the text as it stands.
  return [
    'wrk.method = "POST"',
    'wrk.headers["content-type"] = "application/json"',
    `wrk.body = [==[${json}]==]`,
    "",
  ].join("\n");
}
