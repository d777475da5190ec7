import type { BenchOptions } from "../../measure/options.ts";
import { showCount, showMs } from "../../measure/table.ts";
import { startAnsweringBackends } from "../backends.ts";
import { runClient } from "../clients/client.ts";
import type { OpenLoopReport } from "../clients/open-loop.ts";
import { SMALL_BODY } from "../payload.ts";
import type { Peer } from "../proxies/peer.ts";
import { type AllResults, type Column, describeRounds, interleave, middle, ratiosOf } from "../rounds.ts";
import { type Contestant, oneThreadEach, type Session, withSession } from "../session.ts";
import { outcomeOf } from "./outcome.ts";
import { checkAnswer, type Exchange, measureRequests, WARMUP_SECONDS } from "./requests.ts";
import type { Outcome, SummaryRow, Workload } from "./workload.ts";

/** How long requests take that come at random times, at half of what the proxy could carry. */
export const latency: Workload = {
  name: "latency",
  summary: "small GET, open loop: p99 at 50 % of each proxy's capacity",
  run,
};

interface Sample extends OpenLoopReport {
  rate: number;
  capacity: number;
}

const EXCHANGE: Exchange = { path: "/", answer: SMALL_BODY };
const SHARE_OF_CAPACITY = 0.5;
const LATE_SHARE_MAX = 0.5;

async function run(peers: readonly Peer[], options: BenchOptions): Promise<Outcome> {
  const plan = { entrants: oneThreadEach(peers), startBackends: startAnsweringBackends };
  return withSession(options, plan, async (session) => {
    const capacities = new Map<Contestant, number>();
    for (const contestant of session.contestants) {
      await checkAnswer(contestant, EXCHANGE, options.signal);
      capacities.set(contestant, await findCapacity(contestant, options, session));
    }
    const results = await interleave(
      session.contestants,
      options,
      (contestant) => measure(contestant, capacities.get(contestant)!, options, session),
      (sample) => `p99 ${showMs(sample.p99Ms)} at ${showCount(sample.rate)} requests/s`,
    );
    return outcomeOf(results, session, {
      heading: `latency: small GET, Poisson arrivals at ${SHARE_OF_CAPACITY * 100} % of each one's capacity`,
      notes: [
        describeRounds(options),
        `Capacity: requests/s in closed loop with ${options.connections} connections, just before.`,
        "Times count from when the client let a request go. It shares a core with the backends:",
        "how late it was itself is shown; where that is more than half of a p99, the p99 says little.",
      ],
      cost: p99Ms,
      columns: COLUMNS,
      rows: [summarize(results)],
    });
  });
}

/** Requests per second, after a warm-up of the same kind. */
async function findCapacity(
  contestant: Contestant,
  options: BenchOptions,
  session: Session,
): Promise<number> {
  const load = (seconds: number): Promise<{ requestsPerSecond: number }> =>
    measureRequests(contestant, EXCHANGE, { ...options, seconds }, session);
  if (!options.smoke) await load(WARMUP_SECONDS);
  return (await load(options.seconds)).requestsPerSecond;
}

async function measure(
  contestant: Contestant,
  capacity: number,
  { seconds }: BenchOptions,
  session: Session,
): Promise<Sample> {
  const rate = Math.round(capacity * SHARE_OF_CAPACITY);
  const args = [contestant.running.url, rate, seconds];
  const report = await runClient<OpenLoopReport>("open-loop", args, seconds, session);
  contestant.takeLogBytes();
  return { ...report, rate, capacity };
}

/** An aim can not be reached or missed by what is the client's own doing. */
function summarize(results: AllResults<Sample>): SummaryRow {
  const ratios = ratiosOf(results, p99Ms);
  const samples = [...results.values()].flatMap((result) => result.samples);
  const isBlurred = samples.some(
    (sample) => sample !== undefined && sample.lateP99Ms > p99Ms(sample) * LATE_SHARE_MAX,
  );
  return isBlurred
    ? { label: "latency: p99, blurred by the client (see its table)", ratios }
    : { label: "latency: p99", ratios, aim: 1.5 };
}

function p99Ms(sample: Sample): number {
  return sample.p99Ms;
}

const COLUMNS: readonly Column<Sample>[] = [
  middle("p99", p99Ms, showMs),
  middle("p50", (sample) => sample.p50Ms, showMs),
  middle("p99.9", (sample) => sample.p999Ms, showMs),
  middle("client late p99", (sample) => sample.lateP99Ms, showMs),
  middle("requests/s", (sample) => sample.rate, showCount),
  middle("capacity", (sample) => sample.capacity, showCount),
];
