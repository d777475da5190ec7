import {
  Histogram,
  type HistogramData,
  RecentHistogram,
  type RecentHistogramData,
} from "../core/kit/histogram.ts";

/** Figures of one pool for metrics and the status page; plain numbers on the request path. */
export class PoolStats {
  readonly #backends: Map<string, BackendStats> = new Map();
  readonly queueMs: Histogram = new Histogram();
  /** Requests by how they ended: index into {@link END_REASONS}. */
  readonly ends: Float64Array = new Float64Array(END_REASONS.length);
  retries = 0;
  redeliveries = 0;
  /** Prompts that left a backend whose first token was late. */
  moves = 0;
  /** Tunnels that are open now. */
  tunnels = 0;
  /** Copies that mirrors have sent to this pool, and those that were dropped. */
  mirrored = 0;
  mirrorsDropped = 0;
  /** Copies of this thread that are under way. */
  mirroring = 0;

  /** The figures of a backend; made at its first request. */
  of(id: string): BackendStats {
    let stats = this.#backends.get(id);
    if (stats === undefined) {
      stats = new BackendStats();
      this.#backends.set(id, stats);
    }
    return stats;
  }

  /** Forgets backends that have left. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#backends.keys()) if (!ids.has(id)) this.#backends.delete(id);
  }

  /** Adds those of another thread. */
  add(other: PoolStats, nowMs: number): void {
    this.queueMs.add(other.queueMs);
    for (let i = 0; i < this.ends.length; i++) this.ends[i]! += other.ends[i]!;
    this.retries += other.retries;
    this.redeliveries += other.redeliveries;
    this.moves += other.moves;
    this.tunnels += other.tunnels;
    this.mirrored += other.mirrored;
    this.mirrorsDropped += other.mirrorsDropped;
    for (const [id, stats] of other.#backends) this.of(id).add(stats, nowMs);
  }

  /** What has changed since the last call, to be posted to another thread and loaded there. */
  takeNews(): PoolStatsData {
    const backends: [string, BackendStatsData][] = [];
    for (const [id, stats] of this.#backends) if (stats.isNews()) backends.push([id, stats.dump()]);
    const { retries, redeliveries, moves, mirrored, mirrorsDropped, tunnels } = this;
    const counts = { retries, redeliveries, moves, mirrored, mirrorsDropped, tunnels };
    return { queueMs: this.queueMs.dump(), ends: this.ends.slice(), ...counts, backends };
  }

  load(data: PoolStatsData): void {
    this.queueMs.load(data.queueMs);
    this.ends.set(data.ends);
    this.retries = data.retries;
    this.redeliveries = data.redeliveries;
    this.moves = data.moves;
    this.tunnels = data.tunnels;
    this.mirrored = data.mirrored;
    this.mirrorsDropped = data.mirrorsDropped;
    for (const [id, stats] of data.backends) this.of(id).load(stats);
  }
}

/** Figures of one backend. */
export class BackendStats {
  readonly firstByteMs: Histogram = new Histogram();
  readonly totalMs: Histogram = new Histogram();
  readonly recentFirstByteMs: RecentHistogram = new RecentHistogram(RECENT_MS);
  /** Responses by class: index 1 is 1xx .. 5 is 5xx, 0 is none. */
  readonly statusClasses: Float64Array = new Float64Array(6);
  bytesToClient = 0;
  #toldCount = 0;

  add(other: BackendStats, nowMs: number): void {
    this.firstByteMs.add(other.firstByteMs);
    this.totalMs.add(other.totalMs);
    this.recentFirstByteMs.add(other.recentFirstByteMs, nowMs);
    for (let i = 0; i < this.statusClasses.length; i++) this.statusClasses[i]! += other.statusClasses[i]!;
    this.bytesToClient += other.bytesToClient;
  }

  /** Something was recorded since the last call. */
  isNews(): boolean {
    const isNews = this.totalMs.count !== this.#toldCount;
    this.#toldCount = this.totalMs.count;
    return isNews;
  }

  dump(): BackendStatsData {
    return {
      firstByteMs: this.firstByteMs.dump(),
      totalMs: this.totalMs.dump(),
      recentFirstByteMs: this.recentFirstByteMs.dump(),
      statusClasses: this.statusClasses.slice(),
      bytesToClient: this.bytesToClient,
    };
  }

  load(data: BackendStatsData): void {
    this.firstByteMs.load(data.firstByteMs);
    this.totalMs.load(data.totalMs);
    this.recentFirstByteMs.load(data.recentFirstByteMs);
    this.statusClasses.set(data.statusClasses);
    this.bytesToClient = data.bytesToClient;
  }
}

/** {@link PoolStats} on the way from one thread to another; of backends only those with news. */
export interface PoolStatsData {
  readonly queueMs: HistogramData;
  readonly ends: Float64Array;
  readonly retries: number;
  readonly redeliveries: number;
  readonly moves: number;
  readonly tunnels: number;
  readonly mirrored: number;
  readonly mirrorsDropped: number;
  readonly backends: readonly (readonly [string, BackendStatsData])[];
}

interface BackendStatsData {
  readonly firstByteMs: HistogramData;
  readonly totalMs: HistogramData;
  readonly recentFirstByteMs: RecentHistogramData;
  readonly statusClasses: Float64Array;
  readonly bytesToClient: number;
}

/** How a request ends, as the access log and the metrics say it. */
export const END_REASONS = [
  "ok",
  "local",
  "client_abort",
  "bad_request",
  "no_route",
  "refused",
  "queue_timeout",
  "connect_failed",
  "backend_reset",
  "backend_protocol",
  "first_byte_timeout",
  "idle_timeout",
  "backend_died",
  "tunnel_idle",
  "shutdown",
] as const;

export type EndReason = (typeof END_REASONS)[number];

const RECENT_MS = 30_000;
