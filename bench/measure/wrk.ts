import { writeFileSync } from "node:fs";
import path from "node:path";

import { type Program, requireProgram } from "./machine.ts";
import type { Processes } from "./processes.ts";

/** The load generator. */
export const WRK: Program = { command: "wrk", install: "apt-get install wrk" };

/** What to send: as many requests as the connections carry, for `seconds`. */
export interface Load {
  url: string;
  connections: number;
  seconds: number;
  /** Where wrk runs. */
  cores: string;
  /** POST this JSON; without it, GET. */
  post?: string | undefined;
  /** Sent beside those of wrk. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** A new connection for each request, in place of keep-alive. */
  closing?: boolean | undefined;
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
export async function runWrk(load: Load, directory: string, processes: Processes): Promise<LoadReport> {
  const args = ["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--latency", "--timeout", "5s"];
  if (load.closing === true) args.push("-H", "connection: close");
  for (const [name, value] of Object.entries(load.headers ?? {})) args.push("-H", `${name}: ${value}`);
  if (load.post !== undefined) {
    const script = path.join(directory, "post.lua");
    writeFileSync(script, postScript(load.post));
    args.push("-s", script);
  }
  const program = requireProgram(WRK);
  const launch = { name: "wrk", cores: load.cores, program, args: [...args, load.url] };
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
