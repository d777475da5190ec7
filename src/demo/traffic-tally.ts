/**
 * Counts and times of the demo's traffic, by backend and overall. Pure; memory is bounded by `VALUES_MAX` a
 * row.
 */
export class TrafficTally {
  #overall: Row = newRow();
  #backends: Map<string, Row> = new Map();
  #dropped = 0;
  #abandoned = 0;

  /** The first byte of an answer is here. */
  began(backend: string, firstByteMs: number): void {
    for (const row of [this.#overall, this.#rowOf(backend)]) {
      row.count++;
      keep(row.firstByteMs, firstByteMs);
    }
  }

  /** The answer has ended well. */
  ended(backend: string, totalMs: number): void {
    for (const row of [this.#overall, this.#rowOf(backend)]) keep(row.totalMs, totalMs);
  }

  /**
   * No answer, an error, or one that broke off. `hadBegun`: `began` was called for it, so that it is not
   * counted twice. Its time is no sample: a quick error is not a quick answer.
   */
  failed(backend: string, hadBegun: boolean): void {
    for (const row of [this.#overall, this.#rowOf(backend)]) {
      row.failed++;
      if (!hadBegun) row.count++;
    }
  }

  /** An arrival that found too many requests in flight. */
  dropped(): void {
    this.#dropped++;
  }

  /**
   * We left before the first byte, after `ageMs`: it would have taken at least this long, and counts as that.
   */
  abandoned(ageMs: number): void {
    this.#abandoned++;
    keep(this.#overall.firstByteMs, ageMs);
  }

  /** `agesMs`: how long requests wait that have no first byte yet; each counts as "at least this long". */
  report(agesMs: readonly number[] = []): TallyReport {
    const overall = { ...this.#overall, firstByteMs: [...this.#overall.firstByteMs, ...agesMs] };
    const backends = new Map<string, TrafficRow>();
    for (const name of [...this.#backends.keys()].sort())
      backends.set(name, finish(this.#backends.get(name)!));
    return { overall: finish(overall), backends, dropped: this.#dropped, abandoned: this.#abandoned };
  }

  clear(): void {
    this.#overall = newRow();
    this.#backends = new Map();
    this.#dropped = 0;
    this.#abandoned = 0;
  }

  #rowOf(backend: string): Row {
    // A header of someone else could name anything: the map is bounded all the same.
    const name = this.#backends.has(backend) || this.#backends.size < BACKENDS_MAX ? backend : NO_BACKEND;
    let row = this.#backends.get(name);
    if (row === undefined) {
      row = newRow();
      this.#backends.set(name, row);
    }
    return row;
  }
}

/** Whose row a failure is where no answer named a backend. */
export const NO_BACKEND = "none";

/** One row; times in milliseconds, NaN where nothing was measured. */
export interface TrafficRow {
  /** Answers that began, and requests that failed before one did. */
  readonly count: number;
  readonly failed: number;
  readonly p50FirstByteMs: number;
  readonly p95FirstByteMs: number;
  readonly p99FirstByteMs: number;
  readonly p95TotalMs: number;
}

/** The whole table. */
export interface TallyReport {
  readonly overall: TrafficRow;
  /** By the name in `x-evener-backend`, sorted. */
  readonly backends: ReadonlyMap<string, TrafficRow>;
  /** Arrivals that were not sent, because too many were in flight. */
  readonly dropped: number;
  /** Requests that we gave up at the end, before their first byte. */
  readonly abandoned: number;
}

/** The value below which the share `q` (0..1) of the values lies (nearest rank); NaN for none. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
}

interface Row {
  count: number;
  failed: number;
  firstByteMs: number[];
  totalMs: number[];
}

const VALUES_MAX = 100_000;
const BACKENDS_MAX = 100;

function newRow(): Row {
  return { count: 0, failed: 0, firstByteMs: [], totalMs: [] };
}

function keep(values: number[], value: number): void {
  if (values.length < VALUES_MAX) values.push(value);
}

function finish(row: Row): TrafficRow {
  return {
    count: row.count,
    failed: row.failed,
    p50FirstByteMs: quantile(row.firstByteMs, 0.5),
    p95FirstByteMs: quantile(row.firstByteMs, 0.95),
    p99FirstByteMs: quantile(row.firstByteMs, 0.99),
    p95TotalMs: quantile(row.totalMs, 0.95),
  };
}
