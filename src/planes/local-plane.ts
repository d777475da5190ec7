import type { Config, ListenerConfig } from "../config/config.ts";
import type { Placement } from "../core/inference/placement-log.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Pool } from "../core/pool.ts";
import type { Address } from "../http1/address.ts";
import { PoolStats } from "../proxy/pool-stats.ts";
import type { Adoption } from "./adoptions.ts";
import { DataPlane, type DataPlaneKit } from "./data-plane.ts";
import { LocalGuests } from "./guests.ts";
import { SessionMail } from "./session-mail.ts";
import { Places } from "./places.ts";
import { SHARES_PORTS } from "./thread-count.ts";
import type { SessionDump, SessionNews, SessionTables } from "./session-tables.ts";
import type { Plane, PlaneChange, PlaneCounts } from "./plane.ts";

/** `threads: 0`: requests are carried by the main thread, at the desks that the pools themselves are. */
export class LocalPlane implements Plane {
  readonly #plane: DataPlane;
  readonly #ledger: Ledger;
  readonly #places: Places = new Places(1);
  #listeners: readonly ListenerConfig[] = [];
  readonly #mail: SessionMail = new SessionMail((news) => this.onSessionNews?.(news));
  #pools: ReadonlyMap<string, Pool> = new Map();
  readonly guests: LocalGuests = new LocalGuests(() => this.#pools.values());
  onSessionNews: Plane["onSessionNews"] = null;

  constructor(config: Config, ledger: Ledger, kit: DataPlaneKit) {
    this.#ledger = ledger;
    const onSessionNews = (news: SessionNews): void => {
      if (this.onSessionNews !== null) this.#mail.post(news);
    };
    this.#plane = new DataPlane(config, { ...kit, onSessionNews });
  }

  apply({ config, sessionKeys, pools, update }: PlaneChange): Promise<void> {
    this.#pools = pools;
    this.#plane.apply(config, sessionKeys, (name) => pools.get(name)!, update);
    return Promise.resolve();
  }

  adopt(sockets: ReadonlyMap<string, Adoption>): void {
    this.#places.adopt(sockets);
  }

  /** In sockets that share their port: a process that takes over may have more threads, and open others. */
  async listen(listeners: readonly ListenerConfig[]): Promise<void> {
    const held = await this.#places.choose(listeners, this.#listeners);
    const specs = listeners.map((listener) => this.#places.specOf(listener, 1));
    try {
      await this.#plane.proxy.listen(specs, SHARES_PORTS);
      this.#listeners = listeners;
    } finally {
      for (const { letGo } of held) letGo();
    }
  }

  addresses(): Address[] {
    return this.#plane.proxy.addresses();
  }

  drain(timeoutMs: number, isHandedOver = false): Promise<boolean> {
    return this.#plane.proxy.drain(timeoutMs, isHandedOver);
  }

  close(): Promise<void> {
    this.#mail.flush();
    return this.#plane.close();
  }

  async reopenLogs(): Promise<void> {
    this.#plane.reopenLogs();
  }

  counts(): PlaneCounts {
    return { ...this.#plane.counts(), lateSettles: this.#ledger.lateSettles, lessonsDropped: 0 };
  }

  placementsOf(requestId: string): Promise<Placement[]> {
    return Promise.resolve(this.#plane.placementsOf(requestId));
  }

  get sessions(): SessionTables {
    return this.#plane.sessions;
  }

  loadSessions(dump: SessionDump): Promise<void> {
    this.sessions.load(dump);
    return Promise.resolve();
  }

  hearSessions(news: readonly SessionNews[]): void {
    this.sessions.hear(news);
  }

  stats(pool: string): PoolStats {
    return this.#plane.traffic.get(pool)?.stats ?? new PoolStats();
  }
}
