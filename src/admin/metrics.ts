import type { Endpoint } from "../core/endpoint.ts";
import type { HealthDescription } from "../core/health/endpoint-health.ts";
import type { Histogram } from "../core/kit/histogram.ts";
import { type Ledger, UNLIMITED } from "../core/ledger.ts";
import { labelText, MetricsText } from "./metrics-text.ts";
import { writeNames } from "./name-metrics.ts";
import { writeProcess } from "./process-metrics.ts";
import { writeSessions } from "./session-metrics.ts";
import type { AdminPool, AdminSource, BackendFigures } from "./source.ts";

/**
 * Everything that is counted, for Prometheus (docs/reference/metrics.md). Labels have values from closed
 * sets only: names of the configuration, and words of ours. Nothing that a client sends becomes one.
 */
export function metricsText(source: AdminSource, nowMs: number): string {
  const text = new MetricsText();
  const pools = source.pools();
  writeProcess(text, source);
  writeNames(text, source.names());
  for (const metric of POOL_METRICS) writePoolMetric(text, metric, pools, nowMs);
  text.metric("evener_requests_total", "counter", "Requests by how they ended.");
  const { endReasons } = source.process();
  for (const { name, stats } of pools) {
    for (const [i, reason] of endReasons.entries()) {
      text.sample(`${labelText("pool", name)},${labelText("reason", reason)}`, stats.ends[i] ?? 0);
    }
  }
  text.metric("evener_queue_seconds", "histogram", "Time in the queue, of requests that had to wait.");
  for (const { name, stats } of pools) {
    text.histogram(labelText("pool", name), stats.queueMs, SECONDS);
  }
  writeSessions(text, pools);
  writeBackends(text, membersOf(pools));
  text.metric(
    "evener_series_omitted",
    "gauge",
    "Series left out of this answer: more than a metric may have.",
  );
  text.sample("", text.omitted);
  return text.toString();
}

/** The content type of the format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Member {
  readonly labels: string;
  readonly endpoint: Endpoint;
  readonly ledger: Ledger;
  readonly figures: BackendFigures;
}

type Kind = "counter" | "gauge";

/** Only members: a backend that has left has no series any more; its requests count in its pool's. */
function membersOf(pools: readonly AdminPool[]): Member[] {
  return pools.flatMap(({ name, pool, stats }) =>
    pool.members.list.map((endpoint) => ({
      labels: `${labelText("pool", name)},${labelText("backend", endpoint.id)}`,
      endpoint,
      ledger: pool.ledger,
      figures: stats.of(endpoint.id),
    })),
  );
}

interface PoolMetric {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly value: (it: AdminPool, nowMs: number) => number;
}

const POOL_METRICS: readonly PoolMetric[] = [
  {
    name: "evener_panic",
    kind: "gauge",
    help: "1 while so few backends are healthy that health is ignored.",
    value: ({ pool }) => (pool.isPanic ? 1 : 0),
  },
  {
    name: "evener_queue_length",
    kind: "gauge",
    help: "Requests that wait for a backend.",
    value: ({ pool }) => pool.waitingCount,
  },
  {
    name: "evener_queue_oldest_seconds",
    kind: "gauge",
    help: "How long the oldest of them has waited.",
    value: ({ pool }, nowMs) => Math.max(0, nowMs - Math.min(nowMs, pool.waitingSinceMs)) / 1000,
  },
  {
    name: "evener_left_in_flight",
    kind: "gauge",
    help: "Requests in flight on backends that have been removed.",
    value: ({ pool }) =>
      pool.members.departed().reduce((sum, { slot }) => sum + pool.ledger.inFlight[slot]!, 0),
  },
  {
    name: "evener_retries_total",
    kind: "counter",
    help: "Attempts that were repeated on another backend.",
    value: ({ stats }) => stats.retries,
  },
  {
    name: "evener_redeliveries_total",
    kind: "counter",
    help: "Requests that were sent again because their backend died.",
    value: ({ stats }) => stats.redeliveries,
  },
  {
    name: "evener_moves_total",
    kind: "counter",
    help: "Prompts that left a backend whose first token was late for one that was expected to be sooner.",
    value: ({ stats }) => stats.moves,
  },
  {
    name: "evener_tunnels",
    kind: "gauge",
    help: "Open WebSockets and other tunnels.",
    value: ({ stats }) => stats.tunnels,
  },
  {
    name: "evener_mirrored_total",
    kind: "counter",
    help: "Copies of requests that mirrors have sent to the pool.",
    value: ({ stats }) => stats.mirrored,
  },
  {
    name: "evener_mirrors_dropped_total",
    kind: "counter",
    help: "Copies for the pool that were not sent: too many under way, a body too large, no backend free.",
    value: ({ stats }) => stats.mirrorsDropped,
  },
];

function writePoolMetric(
  text: MetricsText,
  it: PoolMetric,
  pools: readonly AdminPool[],
  nowMs: number,
): void {
  text.metric(it.name, it.kind, it.help);
  for (const pool of pools) text.sample(labelText("pool", pool.name), it.value(pool, nowMs));
}

function writeBackends(text: MetricsText, members: readonly Member[]): void {
  for (const { name, kind, help, value } of BACKEND_METRICS) {
    text.metric(name, kind, help);
    for (const member of members) text.sample(member.labels, value(member));
  }
  text.metric("evener_backend_state", "gauge", "1 for the state that the backend is in.");
  for (const { labels, endpoint } of members) {
    const { state } = endpoint.health.describe();
    for (const each of STATES) text.sample(`${labels},${labelText("state", each)}`, each === state ? 1 : 0);
  }
  text.metric("evener_responses_total", "counter", "Responses of the backend by class of their status.");
  for (const { labels, figures } of members) {
    for (const [i, each] of CLASSES.entries()) {
      text.sample(`${labels},${labelText("class", each)}`, figures.statusClasses[i] ?? 0);
    }
  }
  const histogram = (name: string, help: string, of: (figures: BackendFigures) => Histogram): void => {
    text.metric(name, "histogram", help);
    for (const { labels, figures } of members) text.histogram(labels, of(figures), SECONDS);
  };
  histogram(
    "evener_first_byte_seconds",
    "From a request's arrival to its first byte.",
    (it) => it.firstByteMs,
  );
  histogram("evener_request_seconds", "From a request's arrival to its end.", (it) => it.totalMs);
}

interface BackendMetric {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly value: (member: Member) => number;
}

const BACKEND_METRICS: readonly BackendMetric[] = [
  {
    name: "evener_in_flight",
    kind: "gauge",
    help: "Requests in flight.",
    value: ({ ledger, endpoint }) => ledger.inFlight[endpoint.slot]!,
  },
  {
    name: "evener_limit",
    kind: "gauge",
    help: "Requests in flight at most, after slow start; +Inf is no limit.",
    value: ({ ledger, endpoint }) => {
      const limit = ledger.limit[endpoint.slot]!;
      return limit === UNLIMITED ? Number.POSITIVE_INFINITY : limit;
    },
  },
  {
    name: "evener_weight",
    kind: "gauge",
    help: "Weight after slow start, slowness and agent.",
    value: ({ ledger, endpoint }) => ledger.weight[endpoint.slot]!,
  },
  {
    name: "evener_picks_total",
    kind: "counter",
    help: "How often it was chosen.",
    value: ({ ledger, endpoint }) => ledger.picks[endpoint.slot]!,
  },
  {
    name: "evener_successes_total",
    kind: "counter",
    help: "Attempts that succeeded.",
    value: ({ ledger, endpoint }) => ledger.successes[endpoint.slot]!,
  },
  {
    name: "evener_failures_total",
    kind: "counter",
    help: "Attempts that the backend failed.",
    value: ({ ledger, endpoint }) => ledger.failures[endpoint.slot]!,
  },
  {
    name: "evener_aborts_total",
    kind: "counter",
    help: "Attempts that the client gave up.",
    value: ({ ledger, endpoint }) => ledger.aborts[endpoint.slot]!,
  },
  {
    name: "evener_response_bytes_total",
    kind: "counter",
    help: "Bytes sent to clients.",
    value: ({ figures }) => figures.bytesToClient,
  },
];

const STATES: readonly HealthDescription["state"][] = [
  "up",
  "slow",
  "probation",
  "ejected",
  "down",
  "draining",
];
const CLASSES: readonly string[] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/** Upper bounds of the buckets: from a cache's answer to a long generation. */
const SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
