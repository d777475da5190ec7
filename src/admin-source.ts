import type { AdminSource } from "./admin/source.ts";
import type { EventLog } from "./admin/event-log.ts";
import type { Names } from "./discovery/names.ts";
import type { Fleet } from "./fleet.ts";
import type { Plane } from "./planes/plane.ts";
import { END_REASONS } from "./proxy/pool-stats.ts";
import { VERSION } from "./version.ts";

/** What the admin listener shows of a server. */
export function adminSource(parts: SourceParts): AdminSource {
  const { events, fleet, plane, names, isReady } = parts;
  const startedAtWallMs = Date.now();
  return {
    version: VERSION,
    events,
    isReady,
    pools: () =>
      [...fleet.list(), ...fleet.leaving()].map(({ pool, policy }) => {
        pool.ledger.refresh(pool.members.slots);
        const stats = plane.stats(pool.name);
        return { name: pool.name, policy, pool, stats, sessions: plane.sessions.figures(pool.name) };
      }),
    names: () => names.figures(),
    placementsOf: (requestId) => plane.placementsOf(requestId),
    process: () => ({ ...plane.counts(), startedAtWallMs, endReasons: END_REASONS }),
  };
}

/** The parts of a server that are shown. */
export interface SourceParts {
  readonly events: EventLog;
  readonly fleet: Fleet;
  readonly plane: Plane;
  readonly names: Names;
  readonly isReady: () => boolean;
}
