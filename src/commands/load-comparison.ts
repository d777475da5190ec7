import type { Config } from "../config/config.ts";
import { formatComparison, formatLoadTable, type LoadRow, type PhaseResult } from "../demo/report.ts";
import { startTraffic, type TrafficSample } from "../demo/traffic.ts";
import { DEMO_REQUESTS_PER_SECOND } from "../demo/workload.ts";
import type { Server } from "../server.ts";

/** What is compared, and where it is said. */
export interface Comparison {
  readonly server: Server;
  readonly url: string;
  /** As round robin spreads it. */
  readonly before: Config;
  /** As Evener does. */
  readonly after: Config;
  readonly signal: AbortSignal;
  say(text: string): void;
}

/**
 * Sends the same steady traffic twice and prints every second who got how much of it; goes on with the
 * second.
 */
export async function compareUnderLoad(it: Comparison): Promise<void> {
  const first = await runPhase(it, "round robin", it.before, PHASE_SECONDS);
  if (it.signal.aborted) return;
  await pause(REST_MS, it.signal);
  const second = await runPhase(it, "Evener (auto)", it.after, PHASE_SECONDS);
  if (it.signal.aborted) return;
  it.say("");
  for (const line of formatComparison(first, second, STYLE)) it.say(line);
  it.say("\nTraffic goes on; Ctrl-C stops.");
  await runPhase(it, "Evener (auto)", it.after, Number.POSITIVE_INFINITY);
}

async function runPhase(it: Comparison, name: string, config: Config, seconds: number): Promise<PhaseResult> {
  await it.server.reload(config);
  const picks = new PicksMeter(it.server);
  const traffic = startTraffic({
    url: it.url,
    requestsPerSecond: DEMO_REQUESTS_PER_SECOND,
    seed: TRAFFIC_SEED,
    signal: it.signal,
  });
  for (let second = 1; second <= seconds && !it.signal.aborted; second++) {
    await pause(1_000, it.signal);
    if (it.signal.aborted) break;
    const of = Number.isFinite(seconds) ? ` of ${seconds}` : "";
    const title = `${name}: second ${second}${of}, ${DEMO_REQUESTS_PER_SECOND} requests/s`;
    for (const line of formatLoadTable(rows(it.server, picks, traffic.sample()), title, STYLE)) it.say(line);
    it.say("");
  }
  const { overall } = traffic.total();
  await traffic.stop();
  return { name, requests: overall.count, ...overall };
}

/** One row a backend: its state, load and picks from the pool, its latency from the clients. */
function rows(server: Server, picks: PicksMeter, sample: TrafficSample): LoadRow[] {
  const { pool } = server.fleet.list()[0]!;
  const sent = picks.sinceLast();
  return pool.members.list.map((endpoint) => {
    const seen = sample.backends.get(endpoint.id);
    return {
      name: endpoint.id,
      state: endpoint.health.describe().state,
      sent: sent.get(endpoint.id) ?? 0,
      answered: seen?.count ?? 0,
      inFlight: pool.ledger.inFlight[endpoint.slot]!,
      p95FirstByteMs: seen?.p95FirstByteMs ?? Number.NaN,
    };
  });
}

/** How often each backend was chosen since the question before. */
class PicksMeter {
  readonly #server: Server;
  #before: ReadonlyMap<string, number>;

  constructor(server: Server) {
    this.#server = server;
    this.#before = this.#count();
  }

  sinceLast(): Map<string, number> {
    const before = this.#before;
    const now = this.#count();
    this.#before = now;
    return new Map([...now].map(([id, picks]) => [id, picks - (before.get(id) ?? 0)]));
  }

  #count(): Map<string, number> {
    const { pool } = this.#server.fleet.list()[0]!;
    // The data threads' columns are summed when somebody asks.
    pool.ledger.refresh(pool.members.slots);
    return new Map(pool.members.list.map(({ id, slot }) => [id, pool.ledger.picks[slot]!]));
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

const PHASE_SECONDS = 15;
/** For the queues of the first phase to empty. */
const REST_MS = 3_000;
const TRAFFIC_SEED = 7;
const STYLE = { isColored: process.stdout.isTTY };
