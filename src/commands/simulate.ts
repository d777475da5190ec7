import { capacityPerS, listOf } from "../sim/capacity.ts";
import { recordedScore } from "../sim/recorded-score.ts";
import { recordedPerS } from "../sim/workloads/recorded.ts";
import { ProgressBar } from "./progress-bar.ts";
import { simulateBound } from "./simulate-bound.ts";
import { simulationPage } from "./simulate-html.ts";
import { type Asked, checkFaults, readAsked, type SimulateOptions } from "./simulate-options.ts";
import type { SimulationPlan } from "./simulate-plan.ts";
import { RECORDED, type Simulation, simulationJson, simulationTable } from "./simulate-report.ts";
import { modelOf, type Traffic, trafficOf, workloadOf } from "./simulate-source.ts";
import { runAll, type RunTask } from "./simulate-threads.ts";

/**
 * `evener simulate [SCENARIO] [OPTIONS]`: runs a workload on a fleet of engines in virtual time, once a
 * policy and seed, and prints how each did. Options count before what the scenario says.
 */
export async function simulate(file: string | undefined, options: SimulateOptions): Promise<void> {
  const asked = readAsked(file, options);
  const { boundSeconds } = asked;
  const traffic = trafficOf(asked.plan);
  const { plan, capacity, requestsPerS } = withRate(asked, traffic);
  checkFaults(plan);
  if (boundSeconds > 0) {
    const { source } = traffic;
    const task = { plan, source, capacityPerS: capacity, requestsPerS, seconds: boundSeconds };
    return simulateBound(task, options.json);
  }
  const simulation = await simulated(plan, traffic, capacity, requestsPerS, options.html === true);
  process.stdout.write(printed(simulation, options));
}

/** Neither seed nor jitter counts for the capacity; a recording says rate and fleet if nobody else does. */
function withRate(
  { plan: written, said }: Asked,
  { source, recording }: Traffic,
): { plan: SimulationPlan; capacity: number; requestsPerS: number } {
  const isFleetRecorded = recording !== null && !said.has("fleet");
  const plan = isFleetRecorded ? { ...written, fleet: Math.max(1, recording.backends) } : written;
  const sample = listOf(workloadOf(source, { ...plan, jitter: false }, CAPACITY_SEED, 0));
  const capacity = capacityPerS(modelOf(plan), plan.fleet, sample);
  if (recording === null || said.has("rate")) {
    return { plan, capacity, requestsPerS: capacity * plan.rate };
  }
  const rate = Number((recordedPerS(sample) / capacity).toPrecision(3));
  return { plan: { ...plan, rate }, capacity, requestsPerS: 0 };
}

const CAPACITY_SEED = 1;

async function simulated(
  plan: SimulationPlan,
  { recording }: Traffic,
  capacity: number,
  requestsPerS: number,
  hasTimelines: boolean,
): Promise<Simulation> {
  const tasks = plan.policies.flatMap((policy) =>
    Array.from({ length: plan.seeds }, (_, i): RunTask => ({ policy, seed: plan.seed + i })),
  );
  const bar = new ProgressBar();
  let outcomes;
  try {
    outcomes = await runAll({ plan, requestsPerS, hasTimelines }, tasks, (share) => bar.show(share));
  } finally {
    bar.clear();
  }
  const scores = outcomes.map(({ score }) => score);
  const timelines = outcomes.map(({ timeline }) => timeline);
  const simulation = { plan, capacityPerS: capacity, tasks, scores, timelines, recording };
  if (recording === null) return simulation;
  return {
    ...simulation,
    plan: { ...plan, policies: [RECORDED, ...plan.policies] },
    tasks: [{ policy: RECORDED, seed: plan.seed }, ...tasks],
    scores: [recordedScore(recording), ...scores],
    timelines: [null, ...timelines],
  };
}

function printed(simulation: Simulation, { json, html }: SimulateOptions): string {
  if (html === true) return simulationPage(simulation);
  return json ? `${JSON.stringify(simulationJson(simulation))}\n` : simulationTable(simulation);
}
