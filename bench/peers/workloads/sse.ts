import type { BenchOptions } from "../../measure/options.ts";
import { showCount, showMs, showPercent, showUs } from "../../measure/table.ts";
import { startStreamingBackends } from "../backends.ts";
import { runClient } from "../clients/client.ts";
import type { StreamReport } from "../clients/streams.ts";
import { EVENT_BYTES, type StreamWish } from "../payload.ts";
import type { Peer } from "../proxies/peer.ts";
import { type Column, describeRounds, interleave, middle, ratiosOf, span } from "../rounds.ts";
import { type Contestant, oneThreadEach, type Session, withSession } from "../session.ts";
import { outcomeOf } from "./outcome.ts";
import type { Outcome, Workload } from "./workload.ts";

/** CPU microseconds that each proxy spends on one event of a token stream. */
export const sse: Workload = {
  name: "sse",
  summary: "token streams of 100 events, one after another on each connection",
  run,
};

const WISH: StreamWish = { events: 100, everyUs: 5000 };
/** Compilers need some ten thousand events. */
const WARMUP_SECONDS = 6;

async function run(peers: readonly Peer[], options: BenchOptions): Promise<Outcome> {
  const plan = {
    entrants: oneThreadEach(peers),
    streaming: true,
    startBackends: startStreamingBackends,
  };
  return withSession(options, plan, async (session) => {
    const watch = (contestant: Contestant, seconds: number): Promise<StreamReport> =>
      measure(contestant, { ...options, seconds }, session);
    for (const contestant of session.contestants) await watch(contestant, WARMUP_SECONDS);
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => watch(contestant, options.seconds),
      (sample) => `${showUs(totalUs(sample))} us/event, ${showCount(sample.events)} events`,
    );
    const bytes = `${EVENT_BYTES} bytes every ${WISH.everyUs / 1000} ms`;
    return outcomeOf(results, session, {
      heading: `sse: streams of ${WISH.events} events, ${bytes}, ${options.connections} connections`,
      notes: [
        describeRounds(options),
        "nginx: proxy_buffering off; HAProxy: option http-no-delay; Caddy: flush_interval -1.",
      ],
      cost: totalUs,
      columns: COLUMNS,
      rows: [{ label: "sse: CPU/event", ratios: ratiosOf(results, totalUs), aim: 1.2 }],
    });
  });
}

async function measure(
  contestant: Contestant,
  { connections, seconds }: BenchOptions,
  session: Session,
): Promise<StreamReport> {
  const { events, everyUs } = WISH;
  const sample = await runClient<StreamReport>(
    "streams",
    [contestant.running.url, connections, seconds, contestant.running.pid, events, everyUs],
    seconds,
    session,
  );
  contestant.takeLogBytes();
  if (sample.events === 0) throw new Error("no event arrived");
  return sample;
}

function totalUs(sample: StreamReport): number {
  return (sample.userUs + sample.systemUs) / sample.events;
}

const COLUMNS: readonly Column<StreamReport>[] = [
  middle("us/event", totalUs, showUs),
  span("lowest-highest", totalUs, showUs),
  middle("user us", (sample) => sample.userUs / sample.events, showUs),
  middle("system us", (sample) => sample.systemUs / sample.events, showUs),
  middle("events/s", (sample) => (sample.events * 1e6) / sample.elapsedUs, showCount),
  middle(
    "events/read",
    (sample) => sample.events / sample.reads,
    (value) => value.toFixed(2),
  ),
  middle("delay p50", (sample) => sample.p50Ms, showMs),
  middle("delay p99", (sample) => sample.p99Ms, showMs),
  middle("core busy", (sample) => (100 * (sample.userUs + sample.systemUs)) / sample.elapsedUs, showPercent),
];
