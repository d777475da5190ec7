import { readCpu, readRssMb } from "../measure/cpu.ts";
import type { BenchOptions } from "../measure/options.ts";
import { ask } from "../measure/probe.ts";
import { median } from "../measure/statistics.ts";
import { markdownTable, showCount, showMs, showPercent, showUs } from "../measure/table.ts";
import { type LoadReport, runWrk } from "../measure/wrk.ts";
import { chatRequestOf } from "../peers/payload.ts";
import { type AllResults, areGood, interleave } from "../peers/rounds.ts";
import { type Contestant, oneThreadEach, type Session, withSession } from "../peers/session.ts";
import { WARMUP_SECONDS } from "../peers/workloads/requests.ts";
import { startChatBackends } from "./chat-backends.ts";
import { API_KEY } from "./places.ts";
import type { Contender } from "./products/product.ts";

/** What a product costs for one request. */
interface Sample extends LoadReport {
  totalUs: number;
  busyPercent: number;
  rssMb: number;
}

/** CPU time of each router for a chat request of 2 KB without streaming: closed loop, a core to itself. */
export async function compareCpu(
  contenders: readonly Contender[],
  options: BenchOptions,
): Promise<{ text: string; isGood: boolean }> {
  const measured = contenders.filter(({ isMeasured }) => isMeasured);
  const entrants = oneThreadEach(measured.map(({ peer }) => peer));
  return withSession(options, { entrants, startBackends: startChatBackends }, async (session) => {
    const run = (contestant: Contestant, seconds: number): Promise<Sample> =>
      measure(contestant, seconds, session);
    for (const contestant of session.contestants) await check(contestant, options.signal);
    if (!options.smoke) for (const contestant of session.contestants) await run(contestant, WARMUP_SECONDS);
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => run(contestant, options.seconds),
      (sample) => `${showUs(sample.totalUs)} us/request, ${showCount(sample.requestsPerSecond)} requests/s`,
    );
    const isRust = (contestant: Contestant): boolean =>
      contenders.some((contender) => contender.peer === contestant.peer && contender.isRust);
    const lines = [
      `### CPU: POST /v1/chat/completions, ${REQUEST.length} bytes in, 1 KiB out, ${CONNECTIONS} connections`,
      `Backends: ${session.backends}. Medians of ${options.rounds} x ${options.seconds} s, interleaved; the`,
      "ratio is the median of the rounds' ratios to the cheaper of the Rust routers in the same round.",
      `Evener's aim is ${AIM} or less.`,
      "",
      table(results, isRust),
    ];
    return { text: lines.join("\n"), isGood: areGood(results) };
  });
}

const REQUEST = chatRequestOf(2048);
const PATH = "/v1/chat/completions";
const CONNECTIONS = 32;
const AIM = 0.5;
const HEADERS = { authorization: `Bearer ${API_KEY}` };

async function check({ label, running }: Contestant, signal: AbortSignal): Promise<void> {
  const { status, body } = await ask(`${running.url}${PATH}`, signal, REQUEST, HEADERS);
  if (status !== 200 || !body.includes("Every horse")) {
    throw new Error(`${label} does not pass the backend's answer on: ${status} ${body.slice(0, 200)}`);
  }
}

async function measure({ running }: Contestant, seconds: number, session: Session): Promise<Sample> {
  const load = {
    connections: CONNECTIONS,
    seconds,
    cores: session.cores.load,
    url: `${running.url}${PATH}`,
    post: REQUEST,
    headers: HEADERS,
  };
  const before = readCpu(running.pid);
  const startedMs = performance.now();
  const report = await runWrk(load, session.directory, session.processes);
  const elapsedUs = (performance.now() - startedMs) * 1000;
  const after = readCpu(running.pid);
  if (report.errors !== "") throw new Error(report.errors);
  const usedUs = after.userUs - before.userUs + after.systemUs - before.systemUs;
  return {
    ...report,
    totalUs: usedUs / report.requests,
    busyPercent: (100 * usedUs) / elapsedUs,
    rssMb: readRssMb(running.pid),
  };
}

function table(results: AllResults<Sample>, isRust: (contestant: Contestant) => boolean): string {
  const rust = [...results].filter(([contestant]) => isRust(contestant)).map(([, { samples }]) => samples);
  const cheapestIn = (round: number): number =>
    Math.min(...rust.map((samples) => samples[round]?.totalUs ?? Number.POSITIVE_INFINITY));
  const rows = [...results].map(([{ label }, { samples, errors }]) => {
    const good = samples.filter((sample) => sample !== undefined);
    const ratios = samples.flatMap((sample, round) =>
      sample === undefined ? [] : [sample.totalUs / cheapestIn(round)],
    );
    const middle = (read: (sample: Sample) => number): number => median(good.map(read));
    const each = good.map(({ totalUs }) => totalUs);
    return [
      label,
      median(ratios).toFixed(2),
      showUs(middle((sample) => sample.totalUs)),
      `${showUs(Math.min(...each))}-${showUs(Math.max(...each))}`,
      showCount(middle((sample) => sample.requestsPerSecond)),
      showMs(middle((sample) => sample.p50Ms)),
      showMs(middle((sample) => sample.p99Ms)),
      showPercent(middle((sample) => sample.busyPercent)),
      showCount(middle((sample) => sample.rssMb)),
      errors.length === 0 ? "none" : errors.join("; "),
    ];
  });
  return markdownTable(
    [
      "router",
      "x the cheaper Rust router",
      "us/request",
      "lowest-highest",
      "requests/s",
      "p50",
      "p99",
      "core busy",
      "RSS MB",
      "errors",
    ],
    rows,
  );
}
