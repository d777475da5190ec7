import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

import { capacityPerS, listOf } from "../../src/sim/capacity.ts";
import { engineModel, type EngineModel } from "../../src/sim/engine-models.ts";
import type { SimRequest } from "../../src/sim/router.ts";
import { traceWorkload } from "../../src/sim/workloads/trace.ts";
import { parseTrace } from "../../src/sim/workloads/trace-text.ts";

/** How many engines every router has behind it. */
export const ENGINES = 8;

/** What each of them is, in the simulator and behind sockets. */
export const MODEL: EngineModel = engineModel("a100-8b")!;

/** What all routers get, in the same order at the same times. */
export interface LiveWorkload {
  readonly requests: readonly SimRequest[];
  /** For how long they arrive. */
  readonly seconds: number;
  readonly requestsPerS: number;
  /** What the fleet can do at most of such requests. */
  readonly capacityPerS: number;
}

/**
 * The first requests of the conversation trace, jittered, at {@link LOAD} of the fleet's capacity for as long
 * as is asked. With `outputTokensMax`, longer answers are cut: a smoke run has no minutes for their ends.
 */
export function liveWorkload(plan: WorkloadPlan): LiveWorkload {
  const { seconds, load, inputTokensMax, outputTokensMax } = plan;
  const trace = parseTrace(gunzipSync(readFileSync(fileURLToPath(TRACE))).toString("utf8"), ROWS_MAX);
  const rows = trace.rows
    .filter(({ inputTokens }) => inputTokens <= inputTokensMax)
    .map((row) => ({ ...row, outputTokens: Math.min(row.outputTokens, outputTokensMax) }));
  const source = traceWorkload("conversation", { ...trace, rows });
  const list = (requests: number, requestsPerS: number): SimRequest[] =>
    listOf(source.create({ requests, seed: SEED, requestsPerS, isJittered: true }));
  const capacity = capacityPerS(MODEL, ENGINES, list(rows.length, 0));
  const requestsPerS = capacity * load;
  const requests = list(Math.round(seconds * requestsPerS), requestsPerS);
  return { requests, seconds, requestsPerS, capacityPerS: capacity };
}

/** What part of the trace is sent, and how fast. */
export interface WorkloadPlan {
  /** For how long requests arrive. */
  readonly seconds: number;
  /** Arrivals as a multiple of the fleet's capacity. */
  readonly load: number;
  /** Longer prompts are left out. */
  readonly inputTokensMax: number;
  /** Longer answers are cut. */
  readonly outputTokensMax: number;
}

/** 200 s as they were recorded. */
export const WHOLE: WorkloadPlan = {
  seconds: 200,
  load: 0.8,
  inputTokensMax: Number.MAX_SAFE_INTEGER,
  outputTokensMax: Number.MAX_SAFE_INTEGER,
};

/** Some seconds, of requests that do not take a minute each. */
export const SMOKE: WorkloadPlan = { seconds: 10, load: 0.25, inputTokensMax: 8000, outputTokensMax: 50 };

/** The first five minutes of the record or so: enough for a capacity, and for 200 s of it. */
const ROWS_MAX = 1000;
const SEED = 1;
const TRACE = new URL("../../scenarios/traces/mooncake-conversation.jsonl.gz", import.meta.url);
