import * as path from "node:path";

import { describeValue, type Finding, invalid } from "../config/problem.ts";
import { readText } from "../config/read-text.ts";
import { Wrong } from "../config/scalars.ts";
import { Source } from "../config/source.ts";
import { nearest } from "../config/suggest.ts";
import { EvenerError } from "../errors.ts";
import { PLAN_READERS, type PlanDraft, type PlanKey } from "./simulate-plan.ts";

/**
 * Reads a scenario file; paths in it are relative to it. Throws EVENER_SCENARIO_INVALID with every problem
 * and its place, or EVENER_CONFIG_UNREADABLE.
 */
export function loadScenario(file: string): PlanDraft {
  let text: string;
  try {
    text = readText(file, SCENARIO_BYTES_MAX);
  } catch (cause) {
    const message = `${file}: ${(cause as Error).message}; a scenario is a YAML file, see docs/simulator.md`;
    throw new EvenerError("EVENER_CONFIG_UNREADABLE", message, { cause });
  }
  const draft = parseScenario(file, text);
  const beside = (name: string): string => path.resolve(path.dirname(file), name);
  const { trace, record } = draft;
  if (trace !== undefined) return { ...draft, trace: beside(trace) };
  return record === undefined ? draft : { ...draft, record: beside(record) };
}

/** Checks the text of a scenario; `file` is what problems name. */
export function parseScenario(file: string, text: string): PlanDraft {
  const source = new Source(text.replace(/^\uFEFF/, ""), { env: {}, readFile: refuseFiles });
  const { value } = source;
  if (value === undefined) throw invalid(file, source.problems.map(coded));
  const findings: Finding[] = [];
  const draft: Record<string, unknown> = {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = `expected a map, found ${describeValue(value)}; its keys are ${KEYS.join(", ")}`;
    throw invalid(file, [coded(source.place({ path: [], message }))]);
  }
  for (const [key, written] of Object.entries(value)) {
    if (!Object.hasOwn(PLAN_READERS, key)) {
      findings.push(unknownKey(key));
      continue;
    }
    const read = PLAN_READERS[key as PlanKey](written);
    if (read instanceof Wrong) findings.push({ path: [key], message: read.message, hint: read.hint });
    else draft[key] = read;
  }
  const problems = [...source.problems, ...findings.map((finding) => source.place(finding))];
  if (problems.length > 0) throw invalid(file, problems.map(coded));
  return draft;
}

const KEYS = Object.keys(PLAN_READERS);
const SCENARIO_BYTES_MAX = 65_536;

function unknownKey(key: string): Finding {
  const found = { path: [key], at: "key" } as const;
  const meant = nearest(key, KEYS);
  if (meant === undefined) return { ...found, message: `no such key; write one of ${KEYS.join(", ")}` };
  return { ...found, message: "no such key; correct or remove it", hint: `did you mean "${meant}"?` };
}

function coded<T extends object>(problem: T): T & { code: "EVENER_SCENARIO_INVALID" } {
  return { ...problem, code: "EVENER_SCENARIO_INVALID" };
}

function refuseFiles(): never {
  throw new Error("a scenario has no secrets");
}
