import { basename } from "node:path";

import type { Score } from "../sim/score.ts";
import type { Timeline } from "../sim/timeline.ts";
import type { Recording } from "../sim/workloads/recording.ts";
import type { SimulationPlan } from "./simulate-plan.ts";
import type { RunTask } from "./simulate-threads.ts";

/** What was simulated and what came out. */
export interface Simulation {
  readonly plan: SimulationPlan;
  /** Requests a second that the fleet can do at most. */
  readonly capacityPerS: number;
  readonly tasks: readonly RunTask[];
  /** One a task. */
  readonly scores: readonly Score[];
  /** One a task; null where none was asked for. */
  readonly timelines: readonly (Timeline | null)[];
  /** The access log that was simulated; null where it was something else. */
  readonly recording: Recording | null;
}

/** In the place of a policy's name: what was measured in truth. */
export const RECORDED = "as recorded";

/** One policy, as `--json` prints it: means over the seeds, and the deviation of two figures between them. */
export type PolicyRow = Readonly<Record<string, number | string | null>>;

/** For programs; the policy with the best goodput is not first: the order is that of the plan. */
export function simulationJson(it: Simulation): object {
  const { plan, capacityPerS } = it;
  const { trace, workload, record, engine, fleet, rate, jitter, faults, seeds, seed } = plan;
  return {
    ...(trace === "" ? {} : { trace }),
    ...(workload === "" ? {} : { workload }),
    ...(record === "" ? {} : { record, log: logFacts(it.recording!) }),
    engine,
    fleet,
    rate,
    jitter,
    faults,
    seeds,
    seed,
    requests: it.scores[0]!.requests,
    capacity_per_s: rounded(capacityPerS),
    policies: plan.policies.map((policy) => rowOf(it, policy)),
  };
}

/** For people. */
export function simulationTable(it: Simulation): string {
  const { plan, capacityPerS, scores } = it;
  const rows = plan.policies.map((policy) => rowOf(it, policy));
  const cells = rows.map((row) => COLUMNS.map((column) => column.read(row)));
  const heads = COLUMNS.map(({ head }) => head);
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((line) => line[i]!.length)));
  const lines = [heads, ...cells].map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  const perS = capacityPerS * plan.rate;
  const seeds = plan.seeds === 1 ? `seed ${plan.seed}` : `means of ${plan.seeds} seeds`;
  const title = [
    plan.about,
    `${trafficName(plan)}${plan.jitter ? ", jittered" : ""}: ` +
      `${scores[0]!.requests} requests at ${perS.toFixed(2)} a second ` +
      `(${plan.rate} of what the fleet can do), ${plan.fleet} x ${plan.engine}, ${seeds}`,
    ...plan.faults.map((fault) => `fault ${fault}`),
  ].filter((line) => line !== "");
  const notes = it.recording === null ? "" : `\n${logWords(it.recording)}\n`;
  return `${title.join("\n")}\n\n${lines.map((line) => line.trimEnd()).join("\n")}\n${notes}`;
}

/** What is simulated, in a word. */
export function trafficName({ trace, workload, record }: SimulationPlan): string {
  return workload === "" ? basename(trace === "" ? record : trace) : workload;
}

/** Of the log's lines, what was used and what was not. */
function logFacts({ lines, requests, skipped, withoutBlocks }: Recording): object {
  return { lines, used: requests.length, skipped, without_prompt_blocks: withoutBlocks };
}

function logWords({ lines, requests, skipped, withoutBlocks }: Recording): string {
  const { unreadable, unanswered, without_tokens } = skipped;
  const reasons = [
    [without_tokens, "without token counts"],
    [unanswered, "not answered"],
    [unreadable, "not readable"],
  ].flatMap(([count, why]) => (count === 0 ? [] : [`${count} ${why}`]));
  const rest = reasons.length === 0 ? "" : `; skipped: ${reasons.join(", ")}`;
  const blind = withoutBlocks === 0 ? "" : `\nof ${withoutBlocks} of them no prefix is known`;
  return `${requests.length} of ${lines} lines were used${rest}${blind}`;
}

interface Column {
  readonly head: string;
  read(row: PolicyRow): string;
}

const COLUMNS: readonly Column[] = [
  { head: "policy", read: (row) => String(row["policy"]) },
  { head: "TTFT mean", read: (row) => `${seconds(row["ttft_mean_s"])}${spread(row["ttft_mean_sd_s"], 2)}` },
  { head: "p50", read: (row) => seconds(row["ttft_p50_s"]) },
  { head: "p99", read: (row) => seconds(row["ttft_p99_s"]) },
  { head: "TPOT", read: (row) => milliseconds(row["tpot_mean_s"]) },
  { head: "goodput", read: (row) => `${share(row["goodput"])}${spread(row["goodput_sd"], 3)}` },
  { head: "hit rate", read: (row) => share(row["hit_rate"]) },
  { head: "Jain", read: (row) => share(row["jain"]) },
  { head: "refused", read: (row) => count(row["refused"]) },
  { head: "lost", read: (row) => count(row["lost"]) },
];

type Cell = PolicyRow[string] | undefined;

function seconds(value: Cell): string {
  return typeof value === "number" ? `${value.toFixed(2)} s` : "-";
}

function milliseconds(value: Cell): string {
  return typeof value === "number" ? `${(value * 1000).toFixed(1)} ms` : "-";
}

function share(value: Cell): string {
  return typeof value === "number" ? value.toFixed(3) : "-";
}

function count(value: Cell): string {
  return typeof value === "number" ? String(Math.round(value)) : "-";
}

function spread(value: Cell, digits: number): string {
  return typeof value === "number" ? ` +-${value.toFixed(digits)}` : "";
}

/** Figures of which none was measured are null. */
function rowOf({ tasks, scores }: Simulation, policy: string): PolicyRow {
  const own = scores.filter((_, index) => tasks[index]!.policy === policy);
  const meanOf = (figure: keyof Score): number | null => rounded(mean(own.map((one) => one[figure])));
  const deviationOf = (figure: keyof Score): number | null =>
    own.length < 2 ? null : rounded(deviation(own.map((one) => one[figure])));
  return {
    policy,
    ttft_mean_s: meanOf("ttftMeanS"),
    ttft_mean_sd_s: deviationOf("ttftMeanS"),
    ttft_p50_s: meanOf("ttftP50S"),
    ttft_p99_s: meanOf("ttftP99S"),
    tpot_mean_s: meanOf("tpotMeanS"),
    answer_mean_s: meanOf("answerMeanS"),
    goodput: meanOf("goodput"),
    goodput_sd: deviationOf("goodput"),
    hit_rate: meanOf("hitRate"),
    jain: meanOf("jain"),
    busy_share: meanOf("busyShare"),
    refused: meanOf("refused"),
    lost: meanOf("lost"),
    preemptions: meanOf("preemptions"),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of the sample. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}
