import { Histogram, RecentHistogram } from "../core/kit/histogram.ts";

/** Figures of one pool for metrics and the status page; plain numbers on the request path. */
export class PoolStats {
  readonly #backends: Map<string, BackendStats> = new Map();
  readonly queueMs: Histogram = new Histogram();
  /** Requests by how they ended: index into {@link END_REASONS}. */
  readonly ends: Float64Array = new Float64Array(END_REASONS.length);
  retries = 0;
  redeliveries = 0;
  /** Tunnels that are open now. */
  tunnels = 0;

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
}

/** Figures of one backend. */
export class BackendStats {
  readonly firstByteMs: Histogram = new Histogram();
  readonly totalMs: Histogram = new Histogram();
  readonly recentFirstByteMs: RecentHistogram = new RecentHistogram(RECENT_MS);
  /** Responses by class: index 1 is 1xx .. 5 is 5xx, 0 is none. */
  readonly statusClasses: Float64Array = new Float64Array(6);
  bytesToClient = 0;
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
