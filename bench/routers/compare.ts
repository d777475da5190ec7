import { calibrate } from "../calibration.ts";
import { describeMachine, requireProgram } from "../measure/machine.ts";
import type { BenchOptions } from "../measure/options.ts";
import { installPython } from "../measure/python-environment.ts";
import { WRK } from "../measure/wrk.ts";
import { chosen } from "../peers/lineup.ts";
import { NGINX } from "../peers/proxies/nginx.ts";
import { compareCpu } from "./cpu.ts";
import { compareLive } from "./live.ts";
import { contenders } from "./products/index.ts";
import type { Contender } from "./products/product.ts";
import { ENGINES, type LiveWorkload, liveWorkload, MODEL, SMOKE, WHOLE } from "./workload.ts";

/**
 * Routers on sockets: each on fresh engines with the same requests, beside what the simulator says of its
 * policy; then their CPU time for a request. Resolves to false when a request failed.
 */
export async function compareRouters(options: BenchOptions): Promise<boolean> {
  for (const program of [WRK, NGINX]) requireProgram(program);
  const menu = contenders(await installPython("routers", LOCK, options.signal));
  const named = menu.map((contender) => ({ ...contender, name: contender.peer.name }));
  const entrants = chosen("--only", "router", named, options.only);
  const workload = liveWorkload(options.smoke ? SMOKE : WHOLE);
  const parts = chosen("--workload", "part", PARTS, options.workload);
  const nsPerStep = calibrate();
  print(await describeRun(entrants, workload, options));
  let isGood = true;
  for (const part of parts) {
    const outcome = await part.run(entrants, workload, options);
    print(outcome.text);
    isGood &&= outcome.isGood;
  }
  print(`Calibration: ${nsPerStep.toFixed(2)} ns a step before, ${calibrate().toFixed(2)} after.`);
  return isGood;
}

const LOCK = new URL("requirements.lock.txt", import.meta.url);

interface Part {
  readonly name: string;
  run(
    entrants: readonly Contender[],
    workload: LiveWorkload,
    options: BenchOptions,
  ): Promise<{ text: string; isGood: boolean }>;
}

const PARTS: readonly Part[] = [
  { name: "live", run: compareLive },
  { name: "cpu", run: (entrants, _workload, options) => compareCpu(entrants, options) },
];

async function describeRun(
  entrants: readonly Contender[],
  { requests, seconds, requestsPerS, capacityPerS }: LiveWorkload,
  { command, smoke }: BenchOptions,
): Promise<string> {
  const versions = new Set(await Promise.all(entrants.map(({ peer }) => peer.version())));
  const share = Math.round((100 * requestsPerS) / capacityPerS);
  return [
    `${new Date().toISOString().slice(0, 10)}, \`${command}\`: ${[...versions].join(", ")}.`,
    `${describeMachine()}; the router on one core, load and engines on another.`,
    `${requests.length} requests of the conversation trace (jittered) in ${seconds} s, ${share} % of what`,
    `${ENGINES} engines ${MODEL.name} can do. Time is not scaled, a token of a prompt is 4 bytes, an event`,
    "has up to 8 tokens; the first stands alone.",
    ...(smoke ? ["Smoke: seconds of traffic, answers cut; its numbers say nothing about any router."] : []),
  ].join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`);
}
