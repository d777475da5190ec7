// Hot path (where sessions are learned): a few loads and stores a request; nothing is allocated.
import { LruTable } from "../kit/lru-table.ts";

/**
 * Which endpoint a session is at home at, as endpoints themselves have said: the value that an answer set
 * is bound to who gave the answer. Bounded: what was not used for `ttlMs` is forgotten, and when there is no
 * room what was not used for the longest time. Only hashes of values are kept. Everything but `keepOnly`,
 * `dump` and `load` is O(1).
 *
 * Each data thread has a table of its own. What one learns is told to the others (`onNews`, `hear`), and so
 * is the use of a session, now and then: after an eighth of `ttlMs`, or when so many others came since that
 * it might be among the oldest there.
 *
 * Source: the stick tables of HAProxy, and nginx's `sticky learn`.
 */
export class LearnedSessions {
  readonly ttlMs: number;
  /** Sessions that were bound to an endpoint, or to another one than before. */
  learned = 0;
  /** Sessions that were forgotten before their time, for want of room. */
  evicted = 0;
  readonly #onNews: LearnedSink | null;
  readonly #table: LruTable;
  readonly #untilMs: Float64Array;
  /** Indexes into `#ids`. */
  readonly #homes: Int32Array;
  /** When the use of an entry was told last: the time, and how many entries had been made by then. */
  readonly #toldMs: Float64Array;
  readonly #toldAt: Float64Array;
  #made = 0;
  readonly #numbers: Map<string, number> = new Map();
  /** By number; null where the number is free. */
  readonly #ids: (string | null)[] = [];

  /** `entriesMax`: 1..1e6. `onNews`: who tells other threads; null: there is nobody to tell. */
  constructor(entriesMax: number, ttlMs: number, onNews: LearnedSink | null = null) {
    this.ttlMs = ttlMs;
    this.#onNews = onNews;
    this.#table = new LruTable(entriesMax);
    this.#untilMs = new Float64Array(entriesMax + 1);
    this.#homes = new Int32Array(entriesMax + 1);
    const told = onNews === null ? 0 : entriesMax + 1;
    this.#toldMs = new Float64Array(told);
    this.#toldAt = new Float64Array(told);
  }

  get entriesMax(): number {
    return this.#table.entriesMax;
  }

  /** How many are known now. */
  count(nowMs: number): number {
    this.#forgetExpired(nowMs, this.#table.count);
    return this.#table.count;
  }

  /** The id of the endpoint at which that session is at home, or null. Counts as use. */
  find(hash: number, nowMs: number): string | null {
    const entry = this.#table.find(hash);
    if (entry === 0) return null;
    if (this.#untilMs[entry]! <= nowMs) {
      this.#table.remove(entry);
      return null;
    }
    this.#use(entry, nowMs + this.ttlMs);
    if (this.#isDue(entry, nowMs)) this.#tell(entry, nowMs);
    return this.#ids[this.#homes[entry]!]!;
  }

  /** An endpoint has said that the session is its own. */
  learn(hash: number, id: string, nowMs: number): void {
    this.#forgetExpired(nowMs, EXPIRED_AT_ONCE_MAX);
    const before = this.learned;
    const entry = this.#bind(hash, id, nowMs + this.ttlMs);
    if (this.learned !== before || this.#isDue(entry, nowMs)) this.#tell(entry, nowMs);
  }

  /** Another thread has learned it, or has seen it used. The last word counts. */
  hear(hash: number, id: string, untilMs: number): void {
    const saidAtMs = untilMs - this.ttlMs;
    this.#forgetExpired(saidAtMs, EXPIRED_AT_ONCE_MAX);
    const entry = this.#bind(hash, id, untilMs);
    if (this.#onNews !== null) this.#noteTold(entry, saidAtMs);
  }

  /** Forgets the sessions of all other endpoints. O(entries) when one has left. */
  keepOnly(ids: ReadonlySet<string>): void {
    const gone = new Set<number>();
    for (const [id, number] of this.#numbers) if (!ids.has(id)) gone.add(number);
    if (gone.size === 0) return;
    for (let entry = this.#table.oldest; entry !== 0;) {
      const next = this.#table.newerThan(entry);
      if (gone.has(this.#homes[entry]!)) this.#table.remove(entry);
      entry = next;
    }
    for (const number of gone) {
      this.#numbers.delete(this.#ids[number]!);
      this.#ids[number] = null;
    }
  }

  /** All of it as plain data, for another thread, table or process. */
  dump(nowMs: number): LearnedData {
    const data: LearnedData = { ids: this.#ids.map((id) => id ?? ""), hashes: [], homes: [], leftMs: [] };
    for (let entry = this.#table.oldest; entry !== 0; entry = this.#table.newerThan(entry)) {
      const leftMs = this.#untilMs[entry]! - nowMs;
      if (leftMs <= 0) continue;
      data.hashes.push(this.#table.hashAt(entry));
      data.homes.push(this.#homes[entry]!);
      data.leftMs.push(leftMs);
    }
    return data;
  }

  /**
   * Takes over what another table has dumped. What is known here already is known better, and what makes no
   * sense is passed over: the data may come from another version. Where there is no room for all, those used
   * last stay.
   */
  load(data: LearnedData, nowMs: number): void {
    const { learned, evicted } = this;
    const known = this.dump(nowMs);
    while (this.#table.oldest !== 0) this.#table.remove(this.#table.oldest);
    const rows = [...this.#rowsOf(data), ...this.#rowsOf(known)];
    // In the order of use again, which is that of expiry.
    rows.sort((a, b) => a.leftMs - b.leftMs);
    const ofKnown = new Map(this.#rowsOf(known).map(({ hash, id }) => [hash, id]));
    for (const { hash, id, leftMs } of rows) this.hear(hash, ofKnown.get(hash) ?? id, nowMs + leftMs);
    this.learned = learned;
    this.evicted = evicted;
  }

  /** Becomes what a table with other bounds was, its counts included. */
  takeOver(before: LearnedSessions, nowMs: number): void {
    this.load(before.dump(nowMs), nowMs);
    this.learned = before.learned;
    this.evicted = before.evicted;
  }

  #rowsOf({ ids, hashes, homes, leftMs }: LearnedData): Row[] {
    return hashes.flatMap((hash, i) => {
      const id = ids[homes[i] ?? -1];
      const left = Math.min(leftMs[i] ?? 0, this.ttlMs);
      const isSound = id !== undefined && id !== "" && left > 0 && Number.isSafeInteger(hash) && hash >= 0;
      return isSound ? [{ hash, id, leftMs: left }] : [];
    });
  }

  #bind(hash: number, id: string, untilMs: number): number {
    const home = this.#numberOf(id);
    let entry = this.#table.find(hash);
    if (entry !== 0 && this.#homes[entry] === home) {
      this.#use(entry, Math.max(untilMs, this.#untilMs[entry]!));
      return entry;
    }
    if (entry === 0) entry = this.#make(hash);
    this.#homes[entry] = home;
    this.learned++;
    this.#use(entry, untilMs);
    return entry;
  }

  #make(hash: number): number {
    if (this.#table.count === this.entriesMax) {
      this.#table.remove(this.#table.oldest);
      this.evicted++;
    }
    this.#made++;
    return this.#table.add(hash);
  }

  /** The oldest are the first to expire. */
  #forgetExpired(nowMs: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const { oldest } = this.#table;
      if (oldest === 0 || this.#untilMs[oldest]! > nowMs) return;
      this.#table.remove(oldest);
    }
  }

  #use(entry: number, untilMs: number): void {
    this.#untilMs[entry] = untilMs;
    this.#table.touch(entry);
  }

  /** Other threads should hear that it is in use. */
  #isDue(entry: number, nowMs: number): boolean {
    if (this.#onNews === null) return false;
    if (nowMs - this.#toldMs[entry]! >= this.ttlMs / TOLD_PARTS_OF_TTL) return true;
    return this.#made - this.#toldAt[entry]! >= this.entriesMax / TOLD_PARTS_OF_ENTRIES;
  }

  #tell(entry: number, nowMs: number): void {
    if (this.#onNews === null) return;
    this.#noteTold(entry, nowMs);
    this.#onNews(this.#table.hashAt(entry), this.#ids[this.#homes[entry]!]!, this.#untilMs[entry]!);
  }

  #noteTold(entry: number, nowMs: number): void {
    this.#toldMs[entry] = nowMs;
    this.#toldAt[entry] = this.#made;
  }

  #numberOf(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      const free = this.#ids.indexOf(null);
      number = free < 0 ? this.#ids.length : free;
      this.#ids[number] = id;
      this.#numbers.set(id, number);
    }
    return number;
  }
}

/** Told of what was learned or used: the session's hash, its endpoint, and until when it is known. */
export type LearnedSink = (hash: number, id: string, untilMs: number) => void;

/** A table as plain data: columns, the session that was used the longest ago first. */
export interface LearnedData {
  readonly ids: string[];
  readonly hashes: number[];
  /** Indexes into `ids`. */
  readonly homes: number[];
  /** Milliseconds until it is forgotten, if it is not used. */
  readonly leftMs: number[];
}

interface Row {
  readonly hash: number;
  readonly id: string;
  readonly leftMs: number;
}

/** So that no request pays for many. */
const EXPIRED_AT_ONCE_MAX = 2;
const TOLD_PARTS_OF_TTL = 8;
const TOLD_PARTS_OF_ENTRIES = 4;
