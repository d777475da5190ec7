import type { Endpoint } from "../core/endpoint.ts";
import { type HealthDescription } from "../core/health/endpoint-health.ts";
import { STATE, UNLIMITED } from "../core/ledger.ts";
import { RECENT_PICKS_S, type RecentPicks } from "./recent-picks.ts";
import type { AdminPool, AdminSource } from "./source.ts";

/** A pool as the API shows it; field names are those of the JSON. Unknown figures are null. */
export interface PoolStatus {
  readonly name: string;
  readonly policy: string;
  /** Too few backends are healthy: health is ignored. */
  readonly panic: boolean;
  readonly queue: {
    readonly length: number;
    /** Requests that may wait; 0 when there is no queue. */
    readonly max: number;
    readonly oldest_wait_ms: number;
  };
  /** Seconds that `share` looks back. */
  readonly share_window_s: number;
  readonly backends: readonly BackendStatus[];
  /** Backends that were removed, until their last request has ended. */
  readonly left: readonly LeftStatus[];
}

/** A backend that is no member any more but has requests in flight. */
export interface LeftStatus {
  readonly id: string;
  readonly address: string;
  readonly state: "left";
  readonly in_flight: number;
}

/** A backend as the API shows it. */
export interface BackendStatus {
  readonly id: string;
  readonly address: string;
  readonly state: HealthDescription["state"];
  readonly reason: string;
  readonly in_flight: number;
  /** `override`: set by an operator, null when not; `effective`: after slow start, slowness and agent. */
  readonly weight: {
    readonly configured: number;
    readonly override: number | null;
    readonly effective: number;
  };
  /** 0 is no limit. */
  readonly limit: {
    readonly configured: number;
    readonly override: number | null;
    readonly effective: number;
  };
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the pool's recent picks, 0..1; null when there were none. */
  readonly share: number | null;
  /** Its part of the effective weights of those that take work now, 0..1. */
  readonly fair_share: number;
  /** What the policies take for its latency to the first byte, per unit of work. */
  readonly latency_ms: number | null;
  /** Over the last 30 to 60 seconds. */
  readonly first_byte_ms: { readonly p50: number | null; readonly p95: number | null };
  readonly picks: number;
  readonly successes: number;
  readonly failures: number;
  readonly aborts: number;
  /** What it reported of itself, 0..1 each; null when it never did. */
  readonly vitals: VitalsStatus | null;
}

/** What a backend reported of itself; null is unknown. */
export interface VitalsStatus {
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly gpu: number | null;
  /** Requests that wait inside of it. */
  readonly queued: number | null;
  readonly age_ms: number;
}

/** Reads pools as they are now. */
export class StatusReader {
  readonly #source: AdminSource;
  readonly #recent: RecentPicks;

  constructor(source: AdminSource, recent: RecentPicks) {
    this.#source = source;
    this.#recent = recent;
  }

  pool(it: AdminPool): PoolStatus {
    const { pool } = it;
    const nowMs = this.nowMs();
    const fair = fairShares(pool.members.list, pool.ledger.state, pool.ledger.weight);
    let recentPicks = 0;
    for (const endpoint of pool.members.list) recentPicks += this.#recent.of(endpoint, pool.ledger);
    const oldestMs = pool.waitingSinceMs;
    return {
      name: it.name,
      policy: it.policy,
      panic: pool.isPanic,
      queue: {
        length: pool.waitingCount,
        max: pool.options.queue?.requestsMax ?? 0,
        oldest_wait_ms: Number.isFinite(oldestMs) ? round(nowMs - oldestMs) : 0,
      },
      share_window_s: RECENT_PICKS_S,
      backends: pool.members.list.map((endpoint, i) =>
        this.#backend(it, endpoint, { fair: fair[i]!, recentPicks, nowMs }),
      ),
      left: pool.members.departed().map(({ id, slot, spec: { address } }) => {
        return { id, address, state: "left", in_flight: pool.ledger.inFlight[slot]! };
      }),
    };
  }

  /** The backend with that id, or null. */
  backend(it: AdminPool, id: string): BackendStatus | null {
    return this.pool(it).backends.find((backend) => backend.id === id) ?? null;
  }

  /** The clock of the pools. */
  nowMs(): number {
    return this.#source.nowMs?.() ?? performance.now();
  }

  #backend(it: AdminPool, endpoint: Endpoint, pool: SharesOfPool): BackendStatus {
    const { spec, slot, health } = endpoint;
    const { ledger } = it.pool;
    const { recentFirstByteMs } = it.stats.of(endpoint.id);
    const limit = ledger.limit[slot]!;
    const picked = this.#recent.of(endpoint, ledger);
    return {
      id: endpoint.id,
      address: spec.address,
      ...health.describe(),
      in_flight: ledger.inFlight[slot]!,
      weight: {
        configured: spec.weight,
        override: endpoint.weightOverride,
        effective: round(ledger.weight[slot]!),
      },
      limit: {
        configured: spec.limit,
        override: endpoint.limitOverride,
        effective: limit === UNLIMITED ? 0 : limit,
      },
      priority: spec.priority,
      labels: spec.labels,
      share: pool.recentPicks > 0 ? round(picked / pool.recentPicks) : null,
      fair_share: round(pool.fair),
      latency_ms: known(ledger.latencyMs[slot]!),
      first_byte_ms: {
        p50: known(recentFirstByteMs.quantile(0.5, pool.nowMs)),
        p95: known(recentFirstByteMs.quantile(0.95, pool.nowMs)),
      },
      picks: ledger.picks[slot]!,
      successes: ledger.successes[slot]!,
      failures: ledger.failures[slot]!,
      aborts: ledger.aborts[slot]!,
      vitals: vitalsOf(it, slot, pool.nowMs),
    };
  }
}

interface SharesOfPool {
  readonly fair: number;
  readonly recentPicks: number;
  readonly nowMs: number;
}

function vitalsOf({ pool }: AdminPool, slot: number, nowMs: number): VitalsStatus | null {
  const { cpu, memory, gpu, queued, reportedAtMs } = pool.ledger;
  const atMs = reportedAtMs[slot]!;
  if (!Number.isFinite(atMs)) return null;
  const age_ms = Math.max(0, round(nowMs - atMs));
  return {
    cpu: known(cpu[slot]!),
    memory: known(memory[slot]!),
    gpu: known(gpu[slot]!),
    queued: known(queued[slot]!),
    age_ms,
  };
}

/** By weight, over the first priority group in which anybody takes work; the others are due nothing now. */
function fairShares(list: readonly Endpoint[], state: Int32Array, weight: Float64Array): number[] {
  const takesWork = ({ slot }: Endpoint): boolean =>
    state[slot] === STATE.available || state[slot] === STATE.probation;
  let priority = Number.POSITIVE_INFINITY;
  for (const it of list) if (takesWork(it)) priority = Math.min(priority, it.spec.priority);
  const due = list.map((it) => (takesWork(it) && it.spec.priority === priority ? weight[it.slot]! : 0));
  const sum = due.reduce((total, each) => total + each, 0);
  return due.map((each) => (sum > 0 ? each / sum : 0));
}

function known(value: number): number | null {
  return Number.isFinite(value) ? round(value) : null;
}

/** Four digits behind the point are enough for eyes. */
function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
