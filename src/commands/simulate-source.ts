import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

import { EvenerError } from "../errors.ts";
import { engineModel } from "../sim/engine-models.ts";
import type { EngineModel } from "../sim/engine-models.ts";
import { WORKLOADS } from "../sim/workloads/index.ts";
import { recordedWorkload } from "../sim/workloads/recorded.ts";
import { parseRecording, type Recording } from "../sim/workloads/recording.ts";
import { traceWorkload } from "../sim/workloads/trace.ts";
import { parseTrace } from "../sim/workloads/trace-text.ts";
import type { Workload, WorkloadSource } from "../sim/workloads/workload.ts";
import { REQUESTS_MADE_UP, type SimulationPlan } from "./simulate-plan.ts";

/** Where the requests of a plan come from. */
export interface Traffic {
  readonly source: WorkloadSource;
  /** The access log; null where it is none. */
  readonly recording: Recording | null;
}

/** A trace or an access log from its file (`.gz` or plain), or a workload of the menu. */
export function trafficOf({ trace, workload, record, requests }: SimulationPlan): Traffic {
  const made = WORKLOADS.find(({ name }) => name === workload);
  if (made !== undefined) return { source: made, recording: null };
  const file = trace === "" ? record : trace;
  const requestsMax = requests > 0 ? requests : undefined;
  try {
    const text = readTrace(file);
    if (trace !== "") return { source: traceWorkload(file, parseTrace(text, requestsMax)), recording: null };
    const recording = parseRecording(text, requestsMax);
    return { source: recordedWorkload(file, recording), recording };
  } catch (cause) {
    const message = `${file}: ${(cause as Error).message}; docs/simulator.md has the formats`;
    throw new EvenerError("EVENER_TRACE_UNREADABLE", message, { cause });
  }
}

/** The workload as one run takes it; rate 0 is the recorded one. */
export function workloadOf(
  source: WorkloadSource,
  plan: SimulationPlan,
  seed: number,
  requestsPerS: number,
): Workload {
  const all = plan.workload !== "" ? REQUESTS_MADE_UP : Number.MAX_SAFE_INTEGER;
  const requests = plan.requests > 0 ? plan.requests : all;
  return source.create({ requests, seed, requestsPerS, isJittered: plan.jitter });
}

/** The engine of a plan, which was checked when it was read. */
export function modelOf({ engine }: SimulationPlan): EngineModel {
  return engineModel(engine)!;
}

function readTrace(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(code === "ENOENT" ? "there is no such file" : `it can not be read (${code})`, { cause });
  }
  const isZipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isZipped && bytes.length > TRACE_BYTES_MAX) {
    throw new Error(`it has more than ${TRACE_BYTES_MAX} bytes`);
  }
  return (isZipped ? gunzipSync(bytes, { maxOutputLength: TRACE_BYTES_MAX }) : bytes).toString("utf8");
}

/** Some million requests with their prefixes. */
const TRACE_BYTES_MAX = 512 * 1024 * 1024;
