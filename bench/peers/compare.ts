import { type CpuTime, readCpu, readRssMb } from "../measure/cpu.ts";
import { findProgram } from "../measure/machine.ts";
import type { BenchOptions } from "../measure/options.ts";
import { ask } from "../measure/probe.ts";
import { median } from "../measure/statistics.ts";
import { markdownTable, showCount, showMs, showUs } from "../measure/table.ts";
import { type Load, type LoadReport, runWrk } from "../measure/wrk.ts";
import { startAnsweringBackends } from "./backends.ts";
import { YARDSTICK } from "./index.ts";
import { CHAT_ANSWER, CHAT_REQUEST, SMALL_BODY } from "./payload.ts";
import {
  ratioToYardstick,
  type Contestant,
  describeRounds,
  interleave,
  type Results,
  type Session,
  withSession,
} from "./session.ts";

/**
 * CPU microseconds that each proxy spends on a request, side by side: the same two backends, keep-alive on
 * both sides, one core each, access log on. Prints a table; resolves to false when any request failed.
 */
export async function comparePeers(options: BenchOptions): Promise<boolean> {
  const plan = {
    programs: [{ command: "wrk", debianPackage: "wrk" }],
    streaming: false,
    startBackends: startAnsweringBackends,
  };
  return withSession(options, plan, async (session) => {
    const loads = new Map(session.contestants.map((one) => [one, loadFor(one, options, session)]));
    for (const [contestant, load] of loads) await checkAnswer(contestant, load, options.signal);
    const wrk = findProgram("wrk") ?? "wrk";
    const apply = (load: Load): Promise<LoadReport> =>
      runWrk(wrk, load, session.directory, session.processes);
    const warmupSeconds = options.smoke ? 1 : WARMUP_SECONDS;
    for (const load of loads.values()) await apply({ ...load, seconds: warmupSeconds });
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => measure(contestant, () => apply(loads.get(contestant)!)),
      (sample) => `${showUs(sample.totalUs)} us/request, ${showCount(sample.requestsPerSecond)} requests/s`,
    );
    process.stdout.write(`${report(results, options, session)}\n`);
    return [...results.values()].every((result) => result.errors.length === 0);
  });
}

interface Sample extends LoadReport {
  userUs: number;
  systemUs: number;
  totalUs: number;
  /** Of its core. */
  busyPercent: number;
  rssMb: number;
  logBytes: number;
}

const WARMUP_SECONDS = 3;

function loadFor(contestant: Contestant, options: BenchOptions, session: Session): Load {
  const { connections, seconds } = options;
  const common = { connections, seconds, core: session.cores.load };
  const { url } = contestant.running;
  return options.post
    ? { ...common, url: `${url}/v1/chat/completions`, post: CHAT_REQUEST }
    : { ...common, url: `${url}/` };
}

/** The generator looks at the status alone: a proxy that answers 200 by itself would win every bench. */
async function checkAnswer(contestant: Contestant, load: Load, signal: AbortSignal): Promise<void> {
  const { status, body } = await ask(load.url, signal, load.post);
  const expected = load.post === undefined ? SMALL_BODY : CHAT_ANSWER;
  if (status === 200 && body === expected) return;
  const found = body.length > 200 ? `${body.slice(0, 200)}...` : body;
  throw new Error(`${contestant.peer.name} does not pass the backend's answer on: ${status} ${found}`);
}

async function measure(contestant: Contestant, apply: () => Promise<LoadReport>): Promise<Sample> {
  const { running } = contestant;
  contestant.takeLogBytes();
  const before = readCpu(running.pid);
  const startedAt = performance.now();
  const load = await apply();
  const elapsedUs = (performance.now() - startedAt) * 1000;
  const used = difference(readCpu(running.pid), before);
  const logBytes = contestant.takeLogBytes();
  if (load.errors !== "") throw new Error(load.errors);
  if (logBytes === 0) throw new Error("it wrote no access log, which the others do");
  const usedUs = used.userUs + used.systemUs;
  return {
    ...load,
    userUs: used.userUs / load.requests,
    systemUs: used.systemUs / load.requests,
    totalUs: usedUs / load.requests,
    busyPercent: (100 * usedUs) / elapsedUs,
    rssMb: readRssMb(running.pid),
    logBytes: logBytes / load.requests,
  };
}

function difference(after: CpuTime, before: CpuTime): CpuTime {
  return { userUs: after.userUs - before.userUs, systemUs: after.systemUs - before.systemUs };
}

function report(results: Map<Contestant, Results<Sample>>, options: BenchOptions, session: Session): string {
  const what = options.post ? "POST /v1/chat/completions, 2 KB in, 1 KB out" : "Small GET";
  const head = [
    "proxy",
    "user us",
    "system us",
    "total us/request",
    "lowest-highest",
    `x ${YARDSTICK.name}`,
    "requests/s",
    "p50",
    "p99",
    "core busy",
    "RSS MB",
    "log bytes/request",
    "errors",
  ];
  const rows = [...results].map(([contestant, { samples, errors }]) => {
    const good = samples.filter((sample) => sample !== undefined);
    const middle = (read: (sample: Sample) => number): number => median(good.map(read));
    const totals = good.map((sample) => sample.totalUs);
    const ratio = ratioToYardstick(results, contestant, (sample) => sample.totalUs);
    const failures = errors.length === 0 ? "none" : errors.join("; ");
    if (good.length === 0) return [contestant.peer.name, ...head.slice(2).map(() => "-"), failures];
    return [
      contestant.peer.name,
      showUs(middle((sample) => sample.userUs)),
      showUs(middle((sample) => sample.systemUs)),
      showUs(median(totals)),
      `${showUs(Math.min(...totals))}-${showUs(Math.max(...totals))}`,
      ratio,
      showCount(middle((sample) => sample.requestsPerSecond)),
      showMs(middle((sample) => sample.p50Ms)),
      showMs(middle((sample) => sample.p99Ms)),
      `${Math.round(middle((sample) => sample.busyPercent))} %`,
      String(Math.round(Math.max(...good.map((sample) => sample.rssMb)))),
      String(Math.round(middle((sample) => sample.logBytes))),
      failures,
    ];
  });
  const logs = session.contestants.map(({ peer }) => `${peer.name}: ${peer.accessLog}`).join("; ");
  return [
    "",
    `### ${what}, ${options.connections} connections, keep-alive`,
    session.describe(),
    describeRounds(options),
    `Access logs: ${logs}.`,
    "",
    markdownTable(head, rows),
  ].join("\n");
}
