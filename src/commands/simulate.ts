import { Wrong } from "../config/scalars.ts";
import { EvenerError } from "../errors.ts";
import { capacityPerS, listOf } from "../sim/capacity.ts";
import { FaultPlan } from "../sim/fault-plan.ts";
import { Fleet } from "../sim/fleet.ts";
import { ProgressBar } from "./progress-bar.ts";
import { BOUND_DEFAULTS, readBoundSeconds, simulateBound } from "./simulate-bound.ts";
import {
  faultsOf,
  PLAN_DEFAULTS,
  PLAN_READERS,
  type PlanDraft,
  type PlanKey,
  type SimulationPlan,
} from "./simulate-plan.ts";
import { simulationJson, simulationTable } from "./simulate-report.ts";
import { loadScenario } from "./simulate-scenario.ts";
import { modelOf, sourceOf, workloadOf } from "./simulate-source.ts";
import { runAll, type RunTask } from "./simulate-threads.ts";

/** Options of `evener simulate`, as written. */
export interface SimulateOptions {
  readonly json: boolean;
  readonly jitter: boolean;
  readonly fault: readonly string[];
  readonly policy: readonly string[];
  readonly trace?: string;
  readonly workload?: string;
  readonly engine?: string;
  readonly fleet?: string;
  readonly rate?: string;
  readonly requests?: string;
  readonly seeds?: string;
  readonly seed?: string;
  /** A time; true is the usual one. */
  readonly bound?: string | true;
}

/**
 * `evener simulate [SCENARIO] [OPTIONS]`: runs a workload on a fleet of engines in virtual time, once a
 * policy and seed, and prints how each did. Options count before what the scenario says.
 */
export async function simulate(file: string | undefined, options: SimulateOptions): Promise<void> {
  const written = readOptions(options);
  const scenario = file === undefined ? {} : loadScenario(file);
  const seconds = options.bound === undefined ? 0 : readBoundSeconds(options.bound);
  const usual = seconds > 0 ? BOUND_DEFAULTS : {};
  const drafted = complete({ ...usual, ...scenario, ...withoutOther(written, scenario), ...written });
  const plan = seconds > 0 ? { ...drafted, seeds: 1 } : drafted;
  const source = sourceOf(plan);
  const model = modelOf(plan);
  checkFaults(plan);
  // Neither seed nor jitter counts: the same workload has one capacity.
  const sample = workloadOf(source, { ...plan, jitter: false }, CAPACITY_SEED, 0);
  const capacity = capacityPerS(model, plan.fleet, listOf(sample));
  const requestsPerS = capacity * plan.rate;
  if (seconds > 0) {
    return simulateBound({ plan, source, capacityPerS: capacity, requestsPerS, seconds }, options.json);
  }
  const tasks = plan.policies.flatMap((policy) =>
    Array.from({ length: plan.seeds }, (_, i): RunTask => ({ policy, seed: plan.seed + i })),
  );
  const bar = new ProgressBar();
  let scores;
  try {
    scores = await runAll({ plan, requestsPerS }, tasks, (share) => bar.show(share));
  } finally {
    bar.clear();
  }
  const simulation = { plan, capacityPerS: capacity, tasks, scores };
  process.stdout.write(
    options.json ? `${JSON.stringify(simulationJson(simulation))}\n` : simulationTable(simulation),
  );
}

const CAPACITY_SEED = 1;

function readOptions({ fault, policy, jitter, ...options }: SimulateOptions): PlanDraft {
  const texts: Partial<Record<PlanKey, unknown>> = {};
  for (const key of ["trace", "workload", "engine", "fleet", "rate", "requests", "seeds", "seed"] as const) {
    if (options[key] !== undefined) texts[key] = options[key];
  }
  if (jitter) texts.jitter = true;
  if (policy.length > 0) texts.policies = policy.join(",");
  if (fault.length > 0) texts.faults = fault;
  const draft: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(texts)) {
    const value = PLAN_READERS[key as PlanKey](text);
    if (value instanceof Wrong) {
      const hint = value.hint === undefined ? "" : ` (${value.hint})`;
      const option = OPTION_NAMES[key] ?? key;
      throw new EvenerError("EVENER_USAGE", `--${option}: ${value.message}${hint}`);
    }
    draft[key] = value;
  }
  return draft;
}

const OPTION_NAMES: Readonly<Record<string, string>> = { policies: "policy", faults: "fault" };

/** A workload on the command line takes the place of the scenario's trace, and the other way round. */
function withoutOther(written: PlanDraft, scenario: PlanDraft): PlanDraft {
  if (written.workload !== undefined && scenario.trace !== undefined) return { trace: "" };
  return written.trace !== undefined && scenario.workload !== undefined ? { workload: "" } : {};
}

function complete(draft: PlanDraft): SimulationPlan {
  const plan = { ...PLAN_DEFAULTS, ...draft };
  if (plan.trace === "" && plan.workload === "") {
    throw new EvenerError("EVENER_USAGE", "say what is simulated: a SCENARIO file, --trace or --workload");
  }
  if (plan.trace !== "" && plan.workload !== "") {
    throw new EvenerError("EVENER_USAGE", "both a trace and a workload are given; leave one out");
  }
  return plan;
}

/** Each fault by itself was checked when it was read; here, whether the engines are there that they mean. */
function checkFaults(plan: SimulationPlan): void {
  const faults = faultsOf(plan);
  const sink = { firstToken: (): void => {}, answered: (): void => {} };
  try {
    void new FaultPlan(faults);
    void new Fleet({ model: modelOf(plan), engines: plan.fleet, faults, sink });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EvenerError("EVENER_USAGE", error.message, { cause: error });
  }
}
