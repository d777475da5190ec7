import { EventLog } from "../../../src/admin/event-log.ts";
import type { AdminPool, AdminSource } from "../../../src/admin/source.ts";
import { endpointSpec } from "../../../src/core/endpoint.ts";
import { VirtualClock } from "../../../src/core/kit/clock.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Ledger } from "../../../src/core/ledger.ts";
import { createPolicy } from "../../../src/core/policies/create.ts";
import { BARE_POOL_OPTIONS, type PoolOptions } from "../../../src/core/pool-options.ts";
import { Pool } from "../../../src/core/pool.ts";
import { RequestHead } from "../../../src/http1/head.ts";
import { DEFAULT_LIMITS } from "../../../src/http1/limits.ts";
import { RequestParser } from "../../../src/http1/parser.ts";
import { END_REASONS, PoolStats } from "../../../src/proxy/pool-stats.ts";

/** An admin source with real pools in virtual time. */
export class FakeSource implements AdminSource {
  readonly version = "1.2.3";
  readonly events: EventLog = new EventLog();
  readonly clock: VirtualClock = new VirtualClock();
  readonly ledger: Ledger = new Ledger({ slotsMax: 256 });
  readonly list: FakePool[] = [];
  ready = true;

  /** Adds a pool with these backends. */
  add(name: string, ids: readonly string[], options: Partial<PoolOptions> = {}): FakePool {
    const random = new Random(1);
    const pool = new Pool({
      name,
      ledger: this.ledger,
      clock: this.clock,
      random,
      policy: createPolicy("round_robin", { random, slotsMax: this.ledger.slotsMax }),
      options: { ...BARE_POOL_OPTIONS, ...options },
      onEvent: (event) => this.events.append(event),
    });
    pool.update(ids.map((id) => endpointSpec(id)));
    const it = { name, policy: "round_robin", pool, stats: new PoolStats(), sessions: null };
    this.list.push(it);
    return it;
  }

  pools(): readonly AdminPool[] {
    return this.list;
  }

  placementsOf(): ReturnType<AdminSource["placementsOf"]> {
    return Promise.resolve([]);
  }

  process(): ReturnType<AdminSource["process"]> {
    return {
      clientConnections: 3,
      unrouted: 2,
      refusedPrefaces: 6,
      answeredLocally: 4,
      malformed: 1,
      failedHandshakes: 0,
      accessLogDropped: 0,
      lateSettles: this.ledger.lateSettles,
      lessonsDropped: 0,
      startedAtWallMs: 1_700_000_000_000,
      endReasons: END_REASONS,
    };
  }

  names(): ReturnType<AdminSource["names"]> {
    return [{ name: "llm.test", addresses: 2, ageMs: 1_500, failures: 4 }];
  }

  isReady(): boolean {
    return this.ready;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }
}

/** A pool whose figures a test can set. */
export interface FakePool extends AdminPool {
  readonly stats: PoolStats;
}

/** The head of a request, parsed from its lines. */
export function headOf(...lines: string[]): RequestHead {
  const parser = new RequestParser(DEFAULT_LIMITS);
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (parser.parse(bytes, 0) !== bytes.length) throw new Error(`not a head: ${lines.join(" | ")}`);
  return parser.head;
}
