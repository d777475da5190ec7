import type { BenchOptions } from "../measure/options.ts";
import { markdownTable, showCount, showUs } from "../measure/table.ts";
import { startAnsweringBackends } from "./backends.ts";
import { SMALL_BODY } from "./payload.ts";
import type { Peer } from "./proxies/peer.ts";
import { type Contestant, oneThreadEach, type Session, withSession } from "./session.ts";
import { checkAnswer, type Exchange, measureRequests, type RequestsSample } from "./workloads/requests.ts";

/**
 * An hour's worth of requests, one proxy after another: does its memory grow with traffic? Prints a table;
 * throws when a request failed.
 */
export async function soak(peers: readonly Peer[], options: BenchOptions): Promise<string> {
  const plan = { entrants: oneThreadEach(peers), startBackends: startAnsweringBackends };
  return withSession(options, plan, async (session) => {
    const rows: string[][] = [];
    for (const contestant of session.contestants) {
      await checkAnswer(contestant, EXCHANGE, options.signal);
      rows.push(await soakOne(contestant, options, session));
    }
    return [
      `### soak: small GET, keep-alive, ${options.connections} connections`,
      `Backends: ${session.backends}. RSS after each tenth of the requests; the first tenth is the warm-up.`,
      "",
      markdownTable(HEAD, rows),
    ].join("\n");
  });
}

const EXCHANGE: Exchange = { path: "/", answer: SMALL_BODY };
const REQUESTS = 10_000_000;
const REQUESTS_SMOKE = 20_000;
const SLICE_SECONDS = 10;
const SLICES_MAX = 1000;
const TENTHS = 10;
const HEAD = [
  "proxy",
  "requests",
  "RSS MB after 10 %",
  "at the end",
  "growth",
  "lowest-highest between",
  "us/request first",
  "last",
];

/** In slices, after each of which the access log is emptied. */
async function soakOne(contestant: Contestant, options: BenchOptions, session: Session): Promise<string[]> {
  const wanted = options.smoke ? REQUESTS_SMOKE : REQUESTS;
  const seconds = options.smoke ? 1 : SLICE_SECONDS;
  const tenths: RequestsSample[] = [];
  let requests = 0;
  for (let slice = 0; requests < wanted && slice < SLICES_MAX; slice++) {
    const sample = await measureRequests(contestant, EXCHANGE, { ...options, seconds }, session);
    requests += sample.requests;
    while (tenths.length < Math.min(TENTHS, Math.floor((requests * TENTHS) / wanted))) tenths.push(sample);
    const { label } = contestant;
    process.stderr.write(`${label}: ${showCount(requests)} requests, ${sample.rssMb.toFixed(1)} MB\n`);
  }
  const sizes = tenths.map((tenth) => tenth.rssMb);
  const [first, last] = [tenths[0]!, tenths.at(-1)!];
  return [
    contestant.label,
    showCount(requests),
    first.rssMb.toFixed(1),
    last.rssMb.toFixed(1),
    `${(last.rssMb - first.rssMb).toFixed(1)} MB`,
    `${Math.min(...sizes).toFixed(1)}-${Math.max(...sizes).toFixed(1)}`,
    showUs(first.totalUs),
    showUs(last.totalUs),
  ];
}
