import type { Config } from "../config/config.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import type { PlaneCounts } from "./plane.ts";

/** What one data thread has told last of what it has counted, or what several told that are dead. */
export class Figures {
  counts: PlaneCounts = NO_COUNTS;
  readonly #stats: Map<string, PoolStats> = new Map();

  /** Those of one pool; undefined when there are none. */
  find(pool: string): PoolStats | undefined {
    return this.#stats.get(pool);
  }

  /** Those of one pool; made at the first call. */
  of(pool: string): PoolStats {
    let stats = this.#stats.get(pool);
    if (stats === undefined) {
      stats = new PoolStats();
      this.#stats.set(pool, stats);
    }
    return stats;
  }

  /** Takes over those of a thread that is dead: what it had open has ended, what it had counted stays. */
  bury(dead: Figures, nowMs: number): void {
    this.counts = sumOf([this.counts, { ...dead.counts, clientConnections: 0 }]);
    for (const [pool, stats] of dead.#stats) {
      const own = this.of(pool);
      own.add(stats, nowMs);
      own.tunnels = 0;
    }
  }

  /** Forgets pools and backends that have left. */
  keepOnly(pools: Config["pools"]): void {
    const ids = new Map(pools.map(({ name, backends }) => [name, new Set(backends.map(({ id }) => id))]));
    for (const [name, stats] of this.#stats) {
      const kept = ids.get(name);
      if (kept === undefined) this.#stats.delete(name);
      else stats.keepOnly(kept);
    }
  }
}

export const NO_COUNTS: PlaneCounts = {
  clientConnections: 0,
  answeredLocally: 0,
  unrouted: 0,
  malformed: 0,
  refusedPrefaces: 0,
  failedHandshakes: 0,
  accessLogDropped: 0,
  lateSettles: 0,
  lessonsDropped: 0,
};

/** Of all of them together. */
export function sumOf(all: readonly PlaneCounts[]): PlaneCounts {
  const sum = { ...NO_COUNTS };
  for (const counts of all) {
    for (const key of Object.keys(sum) as (keyof PlaneCounts)[]) sum[key] += counts[key];
  }
  return sum;
}
