/**
 * How long tasks take: seconds by key, and how much slower or faster than its peers each worker is. One
 * additive model of logarithms, log(seconds) = key + worker, learned online: each sample moves both a little
 * towards what is left to explain, so that a slow worker does not make the tasks that it ran look long.
 * Single samples count as at most {@link CLIP} times what was expected.
 */
export class Durations {
  /** Oldest use first. */
  readonly #keys: Map<string, KeyFigures> = new Map();
  readonly #workers: Map<string, WorkerFigures> = new Map();
  /** Of all keys together, for those that nobody knows. */
  #all = Math.log(UNKNOWN_S);
  /** Samples so far, since the start. */
  samples = 0;
  #median = 0;

  get keyCount(): number {
    return this.#keys.size;
  }

  /** Seconds that a task of this key is expected to run there; `worker` "" is an average one. Never zero. */
  predictS(key: string, worker: string): number {
    const log = this.#keys.get(key)?.log ?? this.#all;
    return Math.exp(log + this.#lag(worker));
  }

  /** Seconds in which 95 of 100 such tasks are done there; NaN before {@link P95_SAMPLES_MIN} samples. */
  p95S(key: string, worker: string): number {
    const known = this.#keys.get(key);
    if (known === undefined || known.samples < P95_SAMPLES_MIN) return Number.NaN;
    return Math.exp(known.log95 + this.#lag(worker));
  }

  /** How many times the seconds of an average worker it takes; 1 where nothing is known. */
  slowness(worker: string): number {
    return Math.exp(this.#lag(worker));
  }

  /** A task has run to its end. */
  observe(key: string, worker: string, seconds: number): void {
    const log = Math.log(Math.max(seconds, SECONDS_MIN));
    const figures = this.#keyFor(key, log);
    const there = this.#workerFor(worker);
    const rest = clip(log - figures.log - (there.lag - this.#median));
    there.lag += rest * Math.max(WORKER_GAIN_MIN, 1 / (there.samples + 2));
    there.samples++;
    figures.log += rest * Math.max(KEY_GAIN_MIN, 1 / (figures.samples + 2));
    figures.samples++;
    this.samples++;
    this.#all += (log - this.#all) * Math.max(KEY_GAIN_MIN, 1 / this.samples);
    this.#learnTail(figures, log - (there.lag - this.#median));
    this.#median = median([...this.#workers.values()].map(({ lag }) => lag));
  }

  /** It still runs after so long: at least this. */
  observeAtLeast(key: string, worker: string, seconds: number): void {
    if (seconds > this.predictS(key, worker)) this.observe(key, worker, seconds);
  }

  /** The worker has left for good. */
  forget(worker: string): void {
    this.#workers.delete(worker);
  }

  /** For {@link load}, after a restart. */
  save(): Uint8Array {
    const keys = [...this.#keys].map(([key, { log, log95, samples }]) => [key, log, log95, samples]);
    const workers = [...this.#workers].map(([name, { lag, samples }]) => [name, lag, samples]);
    return new TextEncoder().encode(JSON.stringify({ version: VERSION, all: this.#all, keys, workers }));
  }

  /** What was saved; false, and nothing is learned, where it can not be read. */
  load(bytes: Uint8Array): boolean {
    const saved = parse(bytes);
    if (saved === null) return false;
    this.#all = saved.all;
    for (const [key, log, log95, samples] of saved.keys) this.#keys.set(key, { log, log95, samples });
    for (const [name, lag, samples] of saved.workers) this.#workers.set(name, { lag, samples });
    this.#median = median([...this.#workers.values()].map(({ lag }) => lag));
    return true;
  }

  #lag(worker: string): number {
    const known = this.#workers.get(worker);
    return known === undefined ? 0 : known.lag - this.#median;
  }

  #keyFor(key: string, log: number): KeyFigures {
    const known = this.#keys.get(key) ?? { log, log95: log, samples: 0 };
    // The one that was used last stands last.
    this.#keys.delete(key);
    this.#keys.set(key, known);
    if (this.#keys.size > KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value!);
    return known;
  }

  #workerFor(worker: string): WorkerFigures {
    const known = this.#workers.get(worker);
    if (known !== undefined) return known;
    const made = { lag: this.#median, samples: 0 };
    this.#workers.set(worker, made);
    if (this.#workers.size > WORKERS_MAX) this.#workers.delete(this.#workers.keys().next().value!);
    return made;
  }

  /**
   * A quantile by stochastic approximation (Robbins and Monro, 1951): up by 95 for a sample above, down by 5.
   */
  #learnTail(figures: KeyFigures, log: number): void {
    const step = Math.max(TAIL_STEP_MIN, 1 / (figures.samples + 1));
    figures.log95 +=
      log > figures.log95 ? step * Math.max(QUANTILE, log - figures.log95) : -step * (1 - QUANTILE);
    figures.log95 = Math.max(figures.log95, figures.log);
  }
}

interface KeyFigures {
  log: number;
  log95: number;
  samples: number;
}

interface WorkerFigures {
  lag: number;
  samples: number;
}

interface Saved {
  readonly all: number;
  readonly keys: readonly (readonly [string, number, number, number])[];
  readonly workers: readonly (readonly [string, number, number])[];
}

function parse(bytes: Uint8Array): Saved | null {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Saved> & { version?: number };
    const isFit =
      value.version === VERSION &&
      Number.isFinite(value.all) &&
      areRows(value.keys, 4, KEYS_MAX) &&
      areRows(value.workers, 3, WORKERS_MAX);
    return isFit ? (value as Saved) : null;
  } catch {
    return null;
  }
}

function areRows(rows: unknown, length: number, rowsMax: number): boolean {
  if (!Array.isArray(rows) || rows.length > rowsMax) return false;
  return rows.every((row: unknown) => {
    if (!Array.isArray(row) || row.length !== length || typeof row[0] !== "string") return false;
    return row.slice(1).every((figure) => Number.isFinite(figure));
  });
}

function clip(rest: number): number {
  return Math.max(-LOG_CLIP, Math.min(LOG_CLIP, rest));
}

function median(values: number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const VERSION = 1;
/** Before anything is known. */
const UNKNOWN_S = 1;
const SECONDS_MIN = 0.000_1;
const KEYS_MAX = 10_000;
const WORKERS_MAX = 10_000;
const KEY_GAIN_MIN = 0.05;
const WORKER_GAIN_MIN = 0.1;
const TAIL_STEP_MIN = 0.02;
const QUANTILE = 0.95;
const P95_SAMPLES_MIN = 20;
const CLIP = 10;
const LOG_CLIP = Math.log(CLIP);
