// The program of the threads of `simulate-threads.ts`: runs what it is asked for, one run after the other.
import { parentPort, workerData } from "node:worker_threads";

import { ROUTERS } from "../sim/routers.ts";
import { run } from "../sim/run.ts";
import { score } from "../sim/score.ts";
import { timelineOf } from "../sim/timeline.ts";
import { faultsOf } from "./simulate-plan.ts";
import { modelOf, trafficOf, workloadOf } from "./simulate-source.ts";
import type { RunAnswer, RunTask, ThreadData } from "./simulate-threads.ts";

const { plan, requestsPerS, hasTimelines } = workerData as ThreadData;
const { source } = trafficOf(plan);
const model = modelOf(plan);
const faults = faultsOf(plan);
/** As fine as a chart can show. */
const TIMELINE_STEPS = 120;

parentPort!.on("message", ({ policy, seed }: RunTask) => {
  const router = ROUTERS.find(({ name }) => name === policy)!.create(plan.fleet, seed);
  const workload = workloadOf(source, plan, seed, requestsPerS);
  const onProgress = (share: number): void => say({ kind: "progress", share });
  const result = run({ model, engines: plan.fleet, workload, router, faults, onProgress });
  const isDrawn = hasTimelines && seed === plan.seed;
  say({ kind: "done", score: score(result), timeline: isDrawn ? timelineOf(result, TIMELINE_STEPS) : null });
});

function say(answer: RunAnswer): void {
  parentPort!.postMessage(answer);
}
