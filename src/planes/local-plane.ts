import type { Config, ListenerConfig } from "../config/config.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Address } from "../http1/address.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import { DataPlane, type DataPlaneKit } from "./data-plane.ts";
import type { SessionDump, SessionTables } from "./session-tables.ts";
import type { Plane, PlaneChange, PlaneCounts } from "./plane.ts";

/** `threads: 0`: requests are carried by the main thread, at the desks that the pools themselves are. */
export class LocalPlane implements Plane {
  readonly #plane: DataPlane;
  readonly #ledger: Ledger;

  constructor(config: Config, ledger: Ledger, kit: DataPlaneKit) {
    this.#ledger = ledger;
    this.#plane = new DataPlane(config, kit);
  }

  apply({ config, sessionKeys, pools, update }: PlaneChange): Promise<void> {
    this.#plane.apply(config, sessionKeys, (name) => pools.get(name)!, update);
    return Promise.resolve();
  }

  listen(listeners: readonly ListenerConfig[]): Promise<void> {
    return this.#plane.proxy.listen(listeners);
  }

  addresses(): Address[] {
    return this.#plane.proxy.addresses();
  }

  drain(timeoutMs: number): Promise<boolean> {
    return this.#plane.proxy.drain(timeoutMs);
  }

  close(): Promise<void> {
    return this.#plane.close();
  }

  async reopenLogs(): Promise<void> {
    this.#plane.reopenLogs();
  }

  counts(): PlaneCounts {
    return { ...this.#plane.counts(), lateSettles: this.#ledger.lateSettles, lessonsDropped: 0 };
  }

  get sessions(): SessionTables {
    return this.#plane.sessions;
  }

  loadSessions(dump: SessionDump): Promise<void> {
    this.sessions.load(dump);
    return Promise.resolve();
  }

  stats(pool: string): PoolStats {
    return this.#plane.traffic.get(pool)?.stats ?? new PoolStats();
  }
}
