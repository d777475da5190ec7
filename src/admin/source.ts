import type { Placement } from "../core/inference/placement-log.ts";
import type { Histogram, RecentHistogram } from "../core/kit/histogram.ts";
import type { Pool } from "../core/pool.ts";
import type { EventLog } from "./event-log.ts";

/**
 * What the admin room needs of the rest of the house; asked again at every request, so it may change at any
 * time.
 */
export interface AdminSource {
  readonly version: string;
  readonly events: EventLog;
  /** In the order in which they are shown; names are unique. */
  pools(): readonly AdminPool[];
  process(): ProcessFigures;
  /** The names of backends. */
  names(): readonly NameFigures[];
  /** Where the attempts of a prompt went, and what each candidate would have cost; none: nobody knows. */
  placementsOf(requestId: string): Promise<readonly Placement[]>;
  /** Evener takes requests: everything has started and no stop was asked for. */
  isReady(): boolean;
  /** The clock of the pools, milliseconds; absent: `performance.now()`. */
  nowMs?(): number;
}

/** A pool with what was counted of its requests. */
export interface AdminPool {
  readonly name: string;
  /** Name of its policy. */
  readonly policy: string;
  readonly pool: Pool;
  readonly stats: PoolFigures;
  /** null where no sessions are learned. */
  readonly sessions: SessionFigures | null;
}

/** Sessions that were learned from answers of backends. */
export interface SessionFigures {
  /** Known now. */
  readonly entries: number;
  readonly learned: number;
  /** Forgotten for want of room. */
  readonly evicted: number;
}

/** What is known of a name of backends. */
export interface NameFigures {
  readonly name: string;
  readonly addresses: number;
  /** Of the last good answer; Infinity before the first. */
  readonly ageMs: number;
  /** Questions without a good answer. */
  readonly failures: number;
}

/** Counts of one pool's requests. */
export interface PoolFigures {
  readonly queueMs: Histogram;
  /** Requests by how they ended: index into {@link ProcessFigures.endReasons}. */
  readonly ends: ArrayLike<number>;
  readonly retries: number;
  readonly redeliveries: number;
  readonly moves: number;
  /** Open now. */
  readonly tunnels: number;
  readonly mirrored: number;
  readonly mirrorsDropped: number;
  /** The figures of a member; all zero when it has had no request. */
  of(id: string): BackendFigures;
}

/** Counts of one backend's requests. */
export interface BackendFigures {
  readonly firstByteMs: Histogram;
  readonly totalMs: Histogram;
  readonly recentFirstByteMs: RecentHistogram;
  /** Responses by class: index 1 is 1xx .. 5 is 5xx, 0 is none. */
  readonly statusClasses: ArrayLike<number>;
  readonly bytesToClient: number;
}

/** Counts of the whole process. */
export interface ProcessFigures {
  readonly clientConnections: number;
  /** Requests that were answered without a backend. */
  readonly answeredLocally: number;
  /** Requests that no route took. */
  readonly unrouted: number;
  /** Requests that were not valid HTTP. */
  readonly malformed: number;
  /** Connections closed because their PROXY header was missing, not valid or not from a trusted peer. */
  readonly refusedPrefaces: number;
  /** Client connections whose handshake of TLS failed. */
  readonly failedHandshakes: number;
  /** Lines of the access log that were dropped because its receiver was too slow. */
  readonly accessLogDropped: number;
  readonly lateSettles: number;
  /** What data threads had to tell of their requests' ends and could not. */
  readonly lessonsDropped: number;
  readonly startedAtWallMs: number;
  /** How a request can end; a closed set. */
  readonly endReasons: readonly string[];
  /** Longest delay of the event loop lately, where it is measured. */
  readonly eventLoopDelayMs?: number;
}
