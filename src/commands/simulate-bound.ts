import { EvenerError } from "../errors.ts";
import { FixedRouter, searchBound } from "../sim/bound.ts";
import { listOf } from "../sim/capacity.ts";
import { secondsOf } from "../sim/faults.ts";
import type { Router, SimRequest } from "../sim/router.ts";
import { ROUTERS } from "../sim/routers.ts";
import { run } from "../sim/run.ts";
import { type Score, score } from "../sim/score.ts";
import type { Workload, WorkloadSource } from "../sim/workloads/workload.ts";
import { ListedWorkload } from "../sim/workloads/workload.ts";
import { ProgressBar } from "./progress-bar.ts";
import type { PlanDraft, SimulationPlan } from "./simulate-plan.ts";
import { type Simulation, simulationJson, simulationTable } from "./simulate-report.ts";
import { modelOf, workloadOf } from "./simulate-source.ts";

/** With `--bound`: a short segment, and the policies that say what the bound means. One seed. */
export const BOUND_DEFAULTS: PlanDraft = { requests: 700, policies: ["least_request", "lpwl", "inference"] };

/** Reads what is written after `--bound`. */
export function readBoundSeconds(written: string | true): number {
  if (written === true) return BOUND_SECONDS;
  const seconds = secondsOf(written);
  if (seconds !== null && seconds > 0) return seconds;
  const advice = "write --bound=60s, or --bound as the last word";
  throw new EvenerError("EVENER_USAGE", `--bound: expected a time, found "${written}"; ${advice}`);
}

/** What is searched: a plan of one seed, its traffic and its rate. */
export interface BoundTask {
  readonly plan: SimulationPlan;
  readonly source: WorkloadSource;
  readonly capacityPerS: number;
  readonly requestsPerS: number;
  /** Time for the search. */
  readonly seconds: number;
}

/**
 * `evener simulate --bound`: runs the policies on a segment, then searches the best assignment for so many
 * seconds, knowing the future, and says how far of the way from `least_request` to it each policy goes.
 */
export function simulateBound(task: BoundTask, isJson: boolean): void {
  const { plan, source, requestsPerS, seconds } = task;
  if (plan.faults.length > 0) throw refused("has no faults: leave them out");
  const workload = workloadOf(source, plan, plan.seed, requestsPerS);
  if (workload.ended !== undefined) throw refused(`knows all arrivals before: not for ${plan.workload}`);
  const requests = listOf(workload);
  const names = [BASE, ...plan.policies.filter((name) => name !== BASE)];
  const runs = names.map((name) => {
    const router = ROUTERS.find((spec) => spec.name === name)!.create(plan.fleet, plan.seed);
    const result = runOf(plan, requests, router);
    return { name, score: score(result), engines: result.flights.map(({ engine }) => engine) };
  });
  const best = runs.reduce((a, b) => (isBetter(b.score, a.score) ? b : a));
  const bar = new ProgressBar();
  const beganMs = performance.now();
  const { assignment, tries } = searchBound({
    model: modelOf(plan),
    engines: plan.fleet,
    requests,
    from: best.engines,
    seed: plan.seed,
    shareOver: () => {
      const share = Math.min(1, (performance.now() - beganMs) / 1000 / seconds);
      bar.show(share);
      return share;
    },
  });
  bar.clear();
  const offline = score(runOf(plan, requests, new FixedRouter(OFFLINE, requests, assignment)));
  const named = [...names, OFFLINE];
  const simulation: Simulation = {
    plan: { ...plan, policies: named },
    capacityPerS: task.capacityPerS,
    tasks: named.map((policy) => ({ policy, seed: plan.seed })),
    scores: [...runs.map((one) => one.score), offline],
    timelines: [],
    recording: null,
  };
  const ways = waysOf(names, simulation.scores);
  if (isJson) {
    const bound = { from: best.name, seconds, tries, way: Object.fromEntries(ways) };
    process.stdout.write(`${JSON.stringify({ ...simulationJson(simulation), bound })}\n`);
    return;
  }
  process.stdout.write(`${simulationTable(simulation)}\n${words(ways, best.name, tries, seconds)}`);
}

const BASE = "least_request";
const OFFLINE = "offline";
const BOUND_SECONDS = 60;

function runOf(
  plan: SimulationPlan,
  requests: readonly SimRequest[],
  router: Router,
): ReturnType<typeof run> {
  const workload: Workload = new ListedWorkload(requests);
  return run({ model: modelOf(plan), engines: plan.fleet, workload, router });
}

function isBetter(a: Score, b: Score): boolean {
  return a.goodput === b.goodput ? a.ttftMeanS < b.ttftMeanS : a.goodput > b.goodput;
}

/**
 * Of the way from the base to the bound, the share that each policy goes, by goodput; null without a way.
 */
function waysOf(names: readonly string[], scores: readonly Score[]): [string, number | null][] {
  const base = scores[0]!.goodput;
  const length = scores.at(-1)!.goodput - base;
  return names.slice(1).map((name, index) => {
    const way = (scores[index + 1]!.goodput - base) / length;
    return [name, length > 0 ? Number(way.toFixed(4)) : null];
  });
}

function words(
  ways: readonly (readonly [string, number | null])[],
  from: string,
  tries: number,
  seconds: number,
): string {
  const lines = ways.map(([name, way]) => {
    const share = way === null ? "there is none" : `${(way * 100).toFixed(0)} %`;
    return `${name}: ${share} of the way from ${BASE} to ${OFFLINE}, by goodput\n`;
  });
  const search = `${tries} tries in ${seconds} s, from ${from}'s assignment on`;
  return `${OFFLINE} knows the future: ${search}\n${lines.join("")}`;
}

function refused(why: string): EvenerError {
  return new EvenerError("EVENER_USAGE", `--bound: the search ${why}`);
}
