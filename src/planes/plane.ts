import type { Config, ListenerConfig } from "../config/config.ts";
import type { Placement } from "../core/inference/placement-log.ts";
import type { Pool } from "../core/pool.ts";
import type { Address } from "../http1/address.ts";
import type { PoolStats } from "../proxy/pool-stats.ts";
import type { Adoption } from "./adoptions.ts";
import type { PlaneGuests } from "./guests.ts";
import type { SessionDump, SessionNews, SessionTables } from "./session-tables.ts";

/** What carries the requests: the main thread itself, or data threads. */
export interface Plane {
  /** Requests go by this from now on. Rejects when a data thread can not be reached. */
  apply(change: PlaneChange): Promise<void>;
  /**
   * Sockets that listen already, by the address of their listener as configured: the next `listen` goes on
   * with them.
   */
  adopt(sockets: ReadonlyMap<string, Adoption>): void;
  /** Opens, changes and closes listeners until exactly these are open. Rejects with EVENER_LISTEN_FAILED. */
  listen(listeners: readonly ListenerConfig[]): Promise<void>;
  /** The addresses that are listened on; the port is the real one where 0 was asked for. */
  addresses(): Address[];
  /**
   * Stops accepting, lets requests finish for `timeoutMs`, then ends the rest; true when none was cut.
   * `isHandedOver`: another process goes on with the listening sockets.
   */
  drain(timeoutMs: number, isHandedOver?: boolean): Promise<boolean>;
  close(): Promise<void>;
  /** Rejects with the system's error; the old file is written to then. */
  reopenLogs(): Promise<void>;
  counts(): PlaneCounts;
  /** What was counted of one pool's requests. */
  stats(pool: string): PoolStats;
  /** Where the attempts of that request went, as far as any thread knows it; the first one first. */
  placementsOf(requestId: string): Promise<Placement[]>;
  /** The learned sessions, as the main thread knows them. */
  readonly sessions: SessionTables;
  /** Takes over learned sessions, in all threads. */
  loadSessions(dump: SessionDump): Promise<void>;
  /** Told of what is learned of sessions here; null: nobody outside wants to know. */
  onSessionNews: ((news: readonly SessionNews[]) => void) | null;
  /** What another process has learned of sessions. */
  hearSessions(news: readonly SessionNews[]): void;
  /** For the time when this process has been succeeded. */
  readonly guests: PlaneGuests;
}

/** A configuration, with the pools that stand for it in the main thread. */
export interface PlaneChange {
  readonly config: Config;
  readonly sessionKeys: readonly string[];
  readonly pools: ReadonlyMap<string, Pool>;
  /** Makes the endpoints of that pool what the configuration says: once they can be connected to. */
  readonly update: (pool: string) => void;
}

/** Counts of a whole plane. */
export interface PlaneCounts {
  readonly clientConnections: number;
  readonly answeredLocally: number;
  readonly unrouted: number;
  readonly malformed: number;
  readonly refusedPrefaces: number;
  readonly failedHandshakes: number;
  readonly accessLogDropped: number;
  readonly lateSettles: number;
  /** What data threads had to tell of their requests and could not: the main thread did not keep up. */
  readonly lessonsDropped: number;
}
