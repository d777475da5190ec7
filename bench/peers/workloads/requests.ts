import { type CpuTime, readCpu, readRssMb } from "../../measure/cpu.ts";
import type { BenchOptions } from "../../measure/options.ts";
import { ask } from "../../measure/probe.ts";
import { showCount, showMs, showPercent, showUs } from "../../measure/table.ts";
import { type Load, type LoadReport, runWrk } from "../../measure/wrk.ts";
import { startAnsweringBackends } from "../backends.ts";
import type { Peer } from "../proxies/peer.ts";
import {
  type AllResults,
  type Column,
  describeRounds,
  interleave,
  middle,
  ratiosOf,
  span,
} from "../rounds.ts";
import { type Contestant, type Entrant, oneThreadEach, type Session, withSession } from "../session.ts";
import { outcomeOf } from "./outcome.ts";
import type { Outcome, SummaryRow, Workload } from "./workload.ts";

/** A request and its answer. */
export interface Exchange {
  path: string;
  /** A POST of this JSON; without it, a GET. */
  body?: string;
  answer: string;
  /** A new connection for each, in place of keep-alive. */
  closing?: boolean;
}

/** A workload of requests that are all the same. */
export interface RequestsPlan {
  name: string;
  summary: string;
  exchange: Exchange;
  tls?: boolean;
  /** How many threads each peer is run with; without it, one. */
  threads?: readonly number[];
  /** What the reader of the table has to know beyond what all tables have in common. */
  note?: string;
  /** See {@link SummaryRow}. */
  aim?: number;
}

/** CPU microseconds that each proxy spends on a request: closed loop, one wrk on one core. */
export function requestWorkload(plan: RequestsPlan): Workload {
  const { name, summary } = plan;
  return { name, summary, run: (peers, options) => run(plan, peers, options) };
}

/** What one measurement by wrk showed, per request where not said otherwise. */
export interface RequestsSample extends LoadReport {
  userUs: number;
  systemUs: number;
  totalUs: number;
  /** CPU time in a hundredth of the time that passed: 200 is two cores. */
  busyPercent: number;
  rssMb: number;
  logBytes: number;
}

/** Throws unless the proxy passes the backend's answer on: one that answers by itself would win always. */
export async function checkAnswer(
  contestant: Contestant,
  { path, body, answer }: Exchange,
  signal: AbortSignal,
): Promise<void> {
  const found = await ask(`${contestant.running.url}${path}`, signal, body);
  if (found.status === 200 && found.body === answer) return;
  const shown = found.body.length > 200 ? `${found.body.slice(0, 200)}...` : found.body;
  throw new Error(`${contestant.label} does not pass the backend's answer on: ${found.status} ${shown}`);
}

/** Loads the proxy for `seconds` and reads what it used; throws when a request failed. */
export async function measureRequests(
  contestant: Contestant,
  exchange: Exchange,
  { connections, seconds }: Pick<BenchOptions, "connections" | "seconds">,
  session: Session,
): Promise<RequestsSample> {
  const { running } = contestant;
  const load: Load = {
    connections,
    seconds,
    cores: session.cores.load,
    url: `${running.url}${exchange.path}`,
    post: exchange.body,
    closing: exchange.closing,
  };
  contestant.takeLogBytes();
  const before = readCpu(running.pid);
  const startedAt = performance.now();
  const report = await runWrk(load, session.directory, session.processes);
  const elapsedUs = (performance.now() - startedAt) * 1000;
  const used = difference(readCpu(running.pid), before);
  const logBytes = contestant.takeLogBytes();
  if (report.errors !== "") throw new Error(report.errors);
  if (logBytes === 0) throw new Error("it wrote no access log, which the others do");
  const usedUs = used.userUs + used.systemUs;
  return {
    ...report,
    userUs: used.userUs / report.requests,
    systemUs: used.systemUs / report.requests,
    totalUs: usedUs / report.requests,
    busyPercent: (100 * usedUs) / elapsedUs,
    rssMb: readRssMb(running.pid),
    logBytes: logBytes / report.requests,
  };
}

/** Seconds of load before what is measured: compilers and pools settle. */
export const WARMUP_SECONDS = 8;

async function run(plan: RequestsPlan, peers: readonly Peer[], options: BenchOptions): Promise<Outcome> {
  const sessionPlan = {
    entrants: entrantsOf(plan, peers),
    onAllCores: plan.threads !== undefined,
    tls: plan.tls === true,
    startBackends: startAnsweringBackends,
  };
  return withSession(options, sessionPlan, async (session) => {
    const measure = (contestant: Contestant, seconds: number): Promise<RequestsSample> =>
      measureRequests(contestant, plan.exchange, { ...options, seconds }, session);
    for (const each of session.contestants) await checkAnswer(each, plan.exchange, options.signal);
    if (!options.smoke) for (const each of session.contestants) await measure(each, WARMUP_SECONDS);
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => measure(contestant, options.seconds),
      (sample) => `${showUs(sample.totalUs)} us/request, ${showCount(sample.requestsPerSecond)} requests/s`,
    );
    return outcomeOf(results, session, {
      heading: `${plan.name}: ${plan.summary}, ${options.connections} connections`,
      notes: [describeRounds(options), ...(plan.note === undefined ? [] : [plan.note])],
      cost: totalUs,
      columns: COLUMNS,
      rows: summarize(plan, results),
    });
  });
}

function entrantsOf({ threads }: RequestsPlan, peers: readonly Peer[]): Entrant[] {
  if (threads === undefined) return oneThreadEach(peers);
  return threads.flatMap((count) =>
    peers
      .filter((peer) => count >= peer.threadsMin)
      .map((peer) => ({ peer, threads: count, label: `${peer.name}, ${showThreads(count)}` })),
  );
}

function difference(after: CpuTime, before: CpuTime): CpuTime {
  return { userUs: after.userUs - before.userUs, systemUs: after.systemUs - before.systemUs };
}

function totalUs(sample: RequestsSample): number {
  return sample.totalUs;
}

const COLUMNS: readonly Column<RequestsSample>[] = [
  middle("us/request", totalUs, showUs),
  span("lowest-highest", totalUs, showUs),
  middle("user us", (sample) => sample.userUs, showUs),
  middle("system us", (sample) => sample.systemUs, showUs),
  middle("requests/s", (sample) => sample.requestsPerSecond, showCount),
  middle("p50", (sample) => sample.p50Ms, showMs),
  middle("p99", (sample) => sample.p99Ms, showMs),
  middle("core busy", (sample) => sample.busyPercent, showPercent),
  middle("RSS MB", (sample) => sample.rssMb, showCount),
  middle("log bytes/request", (sample) => sample.logBytes, showCount),
];

function summarize(plan: RequestsPlan, results: AllResults<RequestsSample>): SummaryRow[] {
  const aim = plan.aim === undefined ? {} : { aim: plan.aim };
  if (plan.threads === undefined)
    return [{ label: `${plan.name}: CPU/request`, ratios: ratiosOf(results, totalUs), ...aim }];
  return plan.threads.map((count) => ({
    label: `${showThreads(count)}: CPU/request`,
    ratios: ratiosOf(results, totalUs, count),
    ...aim,
  }));
}

function showThreads(count: number): string {
  return count === 1 ? "1 thread" : `${count} threads`;
}
