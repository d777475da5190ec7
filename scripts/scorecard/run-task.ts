import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

import { cachedCapacityPerS, capacityPerS, listOf } from "../../src/sim/capacity.ts";
import { engineModel } from "../../src/sim/engine-models.ts";
import { parseFault } from "../../src/sim/faults.ts";
import { ROUTERS } from "../../src/sim/routers.ts";
import { run } from "../../src/sim/run.ts";
import { type Score, score } from "../../src/sim/score.ts";
import { WORKLOADS } from "../../src/sim/workloads/index.ts";
import { traceWorkload } from "../../src/sim/workloads/trace.ts";
import { parseTrace } from "../../src/sim/workloads/trace-text.ts";
import type { WorkloadSource } from "../../src/sim/workloads/workload.ts";
import { type Column, ENGINES, faultTexts, traceFile } from "./columns.ts";

/** One run: a policy in one cell with one seed. */
export interface Task {
  readonly column: Column;
  readonly engine: string;
  readonly policy: string;
  readonly seed: number;
  /** Of how many seeds: they share out the trace. */
  readonly seeds: number;
}

/** What came out. */
export interface TaskResult {
  readonly capacityPerS: number;
  readonly score: Score;
}

/** Runs tasks one after the other; keeps what those of one column have in common. */
export class TaskRunner {
  /** Of the traffic that was used last: traces are large. */
  #traffic = "";
  #source: Source | null = null;
  readonly #capacities: Map<string, number> = new Map();

  run({ column, engine, policy, seed, seeds }: Task): TaskResult {
    const { source, rows } = this.#sourceOf(column);
    const { requests, isJittered, rate, hasStretches } = column;
    const capacity = this.#capacityOf(column, engine, source);
    const requestsPerS = capacity * rate;
    const spare = hasStretches && seeds > 1 ? rows - requests : 0;
    const from = Math.round((spare * (seed - 1)) / Math.max(1, seeds - 1));
    const result = run({
      model: engineModel(engine)!,
      engines: ENGINES,
      workload: source.create({ requests, seed, requestsPerS, isJittered, from }),
      router: ROUTERS.find(({ name }) => name === policy)!.create(ENGINES, seed),
      faults: faultTexts(column, requests / requestsPerS).map(parseFault),
    });
    return { capacityPerS: capacity, score: score(result) };
  }

  #sourceOf({ traffic, workload }: Column): Source {
    if (traffic === "made_up") return { source: WORKLOADS.find(({ name }) => name === workload)!, rows: 0 };
    if (this.#source === null || this.#traffic !== traffic) {
      const trace = parseTrace(gunzipSync(readFileSync(traceFile(traffic))).toString("utf8"));
      this.#source = { source: traceWorkload(traffic, trace), rows: trace.rows.length };
      this.#traffic = traffic;
    }
    return this.#source;
  }

  /** Of the whole trace, so that all its columns mean the same by a rate. */
  #capacityOf({ traffic, workload, requests, of }: Column, engine: string, source: WorkloadSource): number {
    const isMadeUp = traffic === "made_up";
    const key = [traffic, workload, of, engine, isMadeUp ? requests : ""].join(" ");
    const known = this.#capacities.get(key);
    if (known !== undefined) return known;
    const all = { requests: isMadeUp ? requests : Number.MAX_SAFE_INTEGER, seed: 1 };
    const sample = listOf(source.create({ ...all, requestsPerS: 0, isJittered: false }));
    const measure = of === "cache" ? cachedCapacityPerS : capacityPerS;
    const capacity = measure(engineModel(engine)!, ENGINES, sample);
    this.#capacities.set(key, capacity);
    return capacity;
  }
}

interface Source {
  readonly source: WorkloadSource;
  /** Of the trace. */
  readonly rows: number;
}
