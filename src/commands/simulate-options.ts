import { Wrong } from "../config/scalars.ts";
import { EvenerError } from "../errors.ts";
import { FaultPlan } from "../sim/fault-plan.ts";
import { Fleet } from "../sim/fleet.ts";
import { BOUND_DEFAULTS, readBoundSeconds } from "./simulate-bound.ts";
import {
  faultsOf,
  PLAN_DEFAULTS,
  PLAN_READERS,
  type PlanDraft,
  type PlanKey,
  type SimulationPlan,
} from "./simulate-plan.ts";
import { loadScenario } from "./simulate-scenario.ts";
import { modelOf } from "./simulate-source.ts";

/** Options of `evener simulate`, as written. */
export interface SimulateOptions {
  readonly json: boolean;
  readonly html?: boolean;
  readonly jitter: boolean;
  readonly fault: readonly string[];
  readonly policy: readonly string[];
  readonly trace?: string;
  readonly workload?: string;
  readonly record?: string;
  readonly engine?: string;
  readonly fleet?: string;
  readonly rate?: string;
  readonly requests?: string;
  readonly seeds?: string;
  readonly seed?: string;
  /** A time; true is the usual one. */
  readonly bound?: string | true;
}

/** What is asked for. */
export interface Asked {
  readonly plan: SimulationPlan;
  /** Said by the options or by the scenario, not by default. */
  readonly said: ReadonlySet<PlanKey>;
  /** Of the search for the bound; 0 is none. */
  readonly boundSeconds: number;
}

/** Reads scenario and options; options count before what the scenario says. Throws EVENER_USAGE. */
export function readAsked(file: string | undefined, options: SimulateOptions): Asked {
  if (options.html === true && (options.json || options.bound !== undefined)) {
    throw new EvenerError("EVENER_USAGE", "--html goes neither with --json nor with --bound; leave one out");
  }
  const written = readOptions(options);
  const scenario = file === undefined ? {} : loadScenario(file);
  const boundSeconds = options.bound === undefined ? 0 : readBoundSeconds(options.bound);
  const own = { ...scenario, ...withoutOthers(written), ...written };
  const plan = complete({ ...(boundSeconds > 0 ? BOUND_DEFAULTS : {}), ...own });
  return {
    plan: boundSeconds > 0 ? { ...plan, seeds: 1 } : plan,
    said: new Set(Object.keys(own) as PlanKey[]),
    boundSeconds,
  };
}

/** Each fault by itself was checked when it was read; here, whether the engines are there that they mean. */
export function checkFaults(plan: SimulationPlan): void {
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

function readOptions({ fault, policy, jitter, ...options }: SimulateOptions): PlanDraft {
  const texts: Partial<Record<PlanKey, unknown>> = {};
  for (const key of TEXT_KEYS) if (options[key] !== undefined) texts[key] = options[key];
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

const TEXT_KEYS = [
  "trace",
  "workload",
  "record",
  "engine",
  "fleet",
  "rate",
  "requests",
  "seeds",
  "seed",
] as const;
const OPTION_NAMES: Readonly<Record<string, string>> = { policies: "policy", faults: "fault" };
/** Where the requests come from: one of these. */
const TRAFFIC_KEYS = ["trace", "workload", "record"] as const;

/** Traffic on the command line takes the place of the scenario's. */
function withoutOthers(written: PlanDraft): PlanDraft {
  if (TRAFFIC_KEYS.every((key) => written[key] === undefined)) return {};
  return { trace: "", workload: "", record: "" };
}

function complete(draft: PlanDraft): SimulationPlan {
  const plan = { ...PLAN_DEFAULTS, ...draft };
  const given = TRAFFIC_KEYS.filter((key) => plan[key] !== "");
  if (given.length === 0) {
    const ways = "a SCENARIO file, --trace, --workload or --record";
    throw new EvenerError("EVENER_USAGE", `say what is simulated: ${ways}`);
  }
  if (given.length > 1) {
    const names = given.join(" and a ");
    throw new EvenerError("EVENER_USAGE", `a ${names} are given; leave one out`);
  }
  return plan;
}
