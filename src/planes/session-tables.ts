import type { PoolConfig, SessionConfig } from "../config/config.ts";
import { type LearnedData, LearnedSessions } from "../core/affinity/learned.ts";
import type { Clock } from "../core/kit/clock.ts";

/** The learned sessions of all pools, as one thread knows them. */
export class SessionTables {
  readonly #clock: Clock;
  readonly #onNews: ((news: SessionNews) => void) | null;
  readonly #tables: Map<string, { readonly key: string; readonly table: LearnedSessions }> = new Map();

  /** `onNews`: who tells the other threads; null: there are none, or they are told by others. */
  constructor(clock: Clock, onNews: ((news: SessionNews) => void) | null) {
    this.#clock = clock;
    this.#onNews = onNews;
  }

  /** What is known stays; the sessions of pools, keys and backends that have left are forgotten. */
  configure(pools: readonly PoolConfig[]): void {
    const left = new Set(this.#tables.keys());
    for (const { name, session, backends } of pools) {
      if (session === null || session.learnedMax === 0) continue;
      left.delete(name);
      this.#tableOf(name, session).keepOnly(new Set(backends.map(({ id }) => id)));
    }
    for (const name of left) this.#tables.delete(name);
  }

  /** The sessions of that pool; null where none are learned. */
  of(pool: string): LearnedSessions | null {
    return this.#tables.get(pool)?.table ?? null;
  }

  figures(pool: string): { entries: number; learned: number; evicted: number } | null {
    const table = this.of(pool);
    if (table === null) return null;
    return { entries: table.count(this.#clock.nowMs()), learned: table.learned, evicted: table.evicted };
  }

  /** What another thread has learned. */
  hear(news: readonly SessionNews[]): void {
    for (const { pool, hash, id, untilMs } of news) this.of(pool)?.hear(hash, id, untilMs);
  }

  /** All of it as plain data. */
  dump(): SessionDump {
    const nowMs = this.#clock.nowMs();
    return [...this.#tables].map(([pool, { key, table }]) => ({ pool, key, sessions: table.dump(nowMs) }));
  }

  /** Takes over what was dumped, as far as its pools learn by the same key here. */
  load(dump: SessionDump): void {
    const nowMs = this.#clock.nowMs();
    for (const { pool, key, sessions } of dump) {
      const it = this.#tables.get(pool);
      if (it !== undefined && it.key === key) it.table.load(sessions, nowMs);
    }
  }

  #tableOf(pool: string, { key, ttlMs, learnedMax }: SessionConfig): LearnedSessions {
    const text = JSON.stringify(key);
    const before = this.#tables.get(pool);
    const isSame = before?.key === text;
    if (isSame && before.table.ttlMs === ttlMs && before.table.entriesMax === learnedMax) return before.table;
    const onNews = this.#onNews;
    const tell = (hash: number, id: string, untilMs: number): void => onNews!({ pool, hash, id, untilMs });
    const table = new LearnedSessions(learnedMax, ttlMs, onNews === null ? null : tell);
    if (isSame) table.takeOver(before.table, this.#clock.nowMs());
    this.#tables.set(pool, { key: text, table });
    return table;
  }
}

/** A session that was learned or used: it belongs to that endpoint, and is known until then. */
export interface SessionNews {
  readonly pool: string;
  readonly hash: number;
  readonly id: string;
  /** On the clock of the main thread, which is that of all. */
  readonly untilMs: number;
}

/** The learned sessions of all pools as plain data. */
export type SessionDump = readonly PoolSessions[];

/** Those of one pool. */
export interface PoolSessions {
  readonly pool: string;
  /** What they are learned by. */
  readonly key: string;
  readonly sessions: LearnedData;
}
