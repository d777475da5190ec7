import { fileURLToPath } from "node:url";

import { type BenchOptions, UsageError } from "../measure/options.ts";
import { median } from "../measure/statistics.ts";
import { markdownTable, showCount, showMs, showUs } from "../measure/table.ts";
import { startStreamingBackends } from "./backends.ts";
import { YARDSTICK } from "./index.ts";
import { EVENT_BYTES } from "./payload.ts";
import {
  type Contestant,
  describeRounds,
  interleave,
  ratioToYardstick,
  type Results,
  type Session,
  withSession,
} from "./session.ts";
import type { StreamReport } from "./stream-client.ts";

/**
 * CPU microseconds that each proxy spends on one event of a token stream: two backends, one event every 5 ms
 * a stream. Prints a table; resolves to false when an event was lost, doubled, broken or out of order.
 */
export async function compareStreams(options: BenchOptions): Promise<boolean> {
  if (options.post) throw new UsageError("--post has no meaning for streams: they are POSTs already");
  const plan = { programs: [], streaming: true, startBackends: startStreamingBackends };
  return withSession(options, plan, async (session) => {
    const watch = (contestant: Contestant, seconds: number): Promise<StreamReport> =>
      runClient(contestant, { ...options, seconds }, session);
    for (const contestant of session.contestants) await watch(contestant, WARMUP_SECONDS);
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => watch(contestant, options.seconds),
      (sample) => `${showUs(totalUs(sample))} us/event, ${showCount(sample.events)} events`,
    );
    process.stdout.write(`${report(results, options, session)}\n`);
    return [...results.values()].every((result) => result.errors.length === 0);
  });
}

const WARMUP_SECONDS = 1;
/** Opening the streams and settling, see the client. */
const OVERTIME_MS = 10_000;

async function runClient(
  contestant: Contestant,
  options: BenchOptions,
  session: Session,
): Promise<StreamReport> {
  const { url, pid } = contestant.running;
  const script = fileURLToPath(new URL("stream-client.ts", import.meta.url));
  const wanted = [`${url}/v1/chat/completions`, options.connections, options.seconds, pid].map(String);
  const output = await session.processes.run(
    { name: "clients", core: session.cores.load, program: process.execPath, args: [script, ...wanted] },
    options.seconds * 1000 + OVERTIME_MS,
  );
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- our own program's output
  const sample = JSON.parse(output.trim().split("\n").at(-1) ?? "") as StreamReport;
  if (sample.errors !== "") throw new Error(sample.errors);
  if (sample.events === 0) throw new Error("no event arrived");
  return sample;
}

function totalUs(sample: StreamReport): number {
  return (sample.userUs + sample.systemUs) / sample.events;
}

function report(
  results: Map<Contestant, Results<StreamReport>>,
  options: BenchOptions,
  session: Session,
): string {
  const head = [
    "proxy",
    "user us",
    "system us",
    "total us/event",
    "lowest-highest",
    `x ${YARDSTICK.name}`,
    "events/s",
    "events/read",
    "delay p50",
    "delay p99",
    "core busy",
    "errors",
  ];
  const rows = [...results].map(([contestant, { samples, errors }]) => {
    const good = samples.filter((sample) => sample !== undefined);
    const middle = (read: (sample: StreamReport) => number): number => median(good.map(read));
    const totals = good.map(totalUs);
    const failures = errors.length === 0 ? "none" : errors.join("; ");
    if (good.length === 0) return [contestant.peer.name, ...head.slice(2).map(() => "-"), failures];
    return [
      contestant.peer.name,
      showUs(middle((sample) => sample.userUs / sample.events)),
      showUs(middle((sample) => sample.systemUs / sample.events)),
      showUs(median(totals)),
      `${showUs(Math.min(...totals))}-${showUs(Math.max(...totals))}`,
      ratioToYardstick(results, contestant, totalUs),
      showCount(middle((sample) => (sample.events * 1e6) / sample.elapsedUs)),
      middle((sample) => sample.events / sample.reads).toFixed(2),
      showMs(middle((sample) => sample.p50Ms)),
      showMs(middle((sample) => sample.p99Ms)),
      `${Math.round(middle((sample) => (100 * (sample.userUs + sample.systemUs)) / sample.elapsedUs))} %`,
      failures,
    ];
  });
  return [
    "",
    `### Streams: ${options.connections} of them, one event of ${EVENT_BYTES} bytes per 5 ms each`,
    session.describe(),
    describeRounds(options),
    "nginx: proxy_buffering off; HAProxy: option http-no-delay; Evener: as it comes.",
    "",
    markdownTable(head, rows),
  ].join("\n");
}
