import { Wrong, wrong } from "../config/scalars.ts";
import { didYouMean } from "../config/suggest.ts";
import { ENGINE_MODELS } from "../sim/engine-models.ts";
import { type Fault, parseFault } from "../sim/faults.ts";
import { ROUTERS } from "../sim/routers.ts";
import { WORKLOADS } from "../sim/workloads/index.ts";

/** What is simulated: plain data, which threads are given as it is. */
export interface SimulationPlan {
  /** One line for the table's head; "" is none. */
  readonly about: string;
  /** Path of a trace file; "" where something else is meant. */
  readonly trace: string;
  /** Name of a made-up workload; "" where something recorded is meant. */
  readonly workload: string;
  /** Path of an access log; "" where something else is meant. */
  readonly record: string;
  readonly engine: string;
  readonly fleet: number;
  /** Arrivals as a multiple of the fleet's capacity. */
  readonly rate: number;
  readonly jitter: boolean;
  /** The first so many; 0 is all of a trace, and {@link REQUESTS_MADE_UP} of a made-up workload. */
  readonly requests: number;
  readonly policies: readonly string[];
  readonly seeds: number;
  /** The first seed. */
  readonly seed: number;
  readonly faults: readonly string[];
}

/** A key of a scenario file, and an option of the command line. */
export type PlanKey = keyof SimulationPlan;

/** What is written; the rest has defaults. */
export type PlanDraft = Partial<SimulationPlan>;

export const PLAN_DEFAULTS: SimulationPlan = {
  about: "",
  trace: "",
  workload: "",
  record: "",
  engine: "a100-8b",
  fleet: 8,
  rate: 0.8,
  jitter: false,
  requests: 0,
  policies: ROUTERS.map(({ name }) => name),
  seeds: 3,
  seed: 1,
  faults: [],
};

export const REQUESTS_MADE_UP = 4000;

/**
 * How each key is read, from YAML or from the command line (texts only); {@link Wrong} says what is not
 * right.
 */
export const PLAN_READERS: { readonly [K in PlanKey]: (value: unknown) => SimulationPlan[K] | Wrong } = {
  about: readText("a text", '"one slow worker"'),
  trace: readText("the path of a trace", "traces/mooncake-conversation.jsonl.gz"),
  workload: readName("workload", () => WORKLOADS),
  record: readText("the path of an access log", "access.jsonl"),
  engine: readName("engine", () => ENGINE_MODELS),
  fleet: readNumber(1, 512, true),
  rate: readNumber(0.01, 100, false),
  jitter: readSwitch,
  requests: readNumber(1, 10_000_000, true),
  policies: readPolicies,
  seeds: readNumber(1, 1000, true),
  seed: readNumber(0, 2 ** 32 - 1, true),
  faults: readFaults,
};

/** The faults of a plan, which were checked when it was read. */
export function faultsOf({ faults }: SimulationPlan): Fault[] {
  return faults.map(parseFault);
}

function readText(what: string, example: string): (value: unknown) => string | Wrong {
  return (value) =>
    typeof value === "string" && value !== "" && value.length <= TEXT_LENGTH_MAX
      ? value
      : wrong(value, what, example);
}

function readName(
  what: string,
  menu: () => readonly { readonly name: string }[],
): (value: unknown) => string | Wrong {
  return (value) => {
    const names = menu().map(({ name }) => name);
    if (typeof value === "string" && names.includes(value)) return value;
    const hint = typeof value === "string" ? didYouMean(value, names) : undefined;
    return wrong(value, `the name of ${what === "engine" ? "an" : "a"} ${what}`, names.join(", "), hint);
  };
}

function readNumber(min: number, max: number, isWhole: boolean): (value: unknown) => number | Wrong {
  return (value) => {
    const read = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    const isGood = typeof read === "number" && read >= min && read <= max;
    if (isGood && (!isWhole || Number.isInteger(read))) return read;
    return wrong(value, isWhole ? "a whole number" : "a number", `${min} to ${max}`);
  };
}

function readSwitch(value: unknown): boolean | Wrong {
  return typeof value === "boolean" ? value : wrong(value, "true or false", "true or false");
}

/** `all`, one name, several with commas between them, or a list. */
function readPolicies(value: unknown): readonly string[] | Wrong {
  const written: unknown[] = typeof value === "string" ? value.split(",") : Array.isArray(value) ? value : [];
  if (written.length === 0) return wrong(value, "names of policies", "all, or [round_robin, least_request]");
  const names = ROUTERS.map(({ name }) => name);
  const chosen = new Set<string>();
  for (const one of written) {
    const name = typeof one === "string" ? one.trim() : "";
    if (name === "all") for (const each of names) chosen.add(each);
    else if (names.includes(name)) chosen.add(name);
    else return wrong(one, "the name of a policy", `all, ${names.join(", ")}`, didYouMean(name, names));
  }
  return [...chosen];
}

function readFaults(value: unknown): readonly string[] | Wrong {
  const written: unknown[] = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  if (!Array.isArray(value) && typeof value !== "string") {
    return wrong(value, "a list of faults", '["0: speed 0.35 from 60s"]');
  }
  for (const one of written) {
    if (typeof one !== "string") return wrong(one, "a fault", '"0: speed 0.35 from 60s", in quotes');
    try {
      parseFault(one);
    } catch (error) {
      return new Wrong((error as RangeError).message);
    }
  }
  return written as string[];
}

const TEXT_LENGTH_MAX = 4096;
