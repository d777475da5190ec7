import { decodeDurations, encodeDurations } from "./durations-bytes.ts";
import { SampleWindow } from "./sample-window.ts";

/**
 * How long tasks take: seconds by key, and how many times that on each worker. Both are medians of the last
 * samples in logarithms: log(seconds) = key + worker. What a key has taken is kept without its worker's part,
 * so that a slow worker does not make the tasks that it ran look long; what a worker took beyond what was
 * expected is its part, beside the median of its peers. One sample, however wild, moves a median by one
 * place.
 */
export class Durations {
  /** Oldest use first. */
  readonly #keys: Map<string, SampleWindow> = new Map();
  /** Oldest use first. */
  readonly #workers: Map<string, WorkerPart> = new Map();
  readonly #keysMax: number;
  /** The middle of the workers' own parts. */
  #peers = 0;
  #samplesUntilPeers = 0;
  /** Median over the keys; null: nothing is known. */
  #unknownLog: number | null = null;
  #samplesUntilUnknown = 0;

  constructor(keysMax: number = KEYS_MAX) {
    this.#keysMax = keysMax;
  }

  /** Grows with each sample: whoever has saved an older one saves again. */
  version = 0;

  get keyCount(): number {
    return this.#keys.size;
  }

  /**
   * Seconds that a task of this key is expected to run there; `worker` "" is the median one. An unknown key
   * takes what the median of all keys takes; where nothing is known, 1 s. Never zero.
   */
  predictS(key: string, worker: string): number {
    const known = this.#keys.get(key);
    const log = known === undefined ? (this.#unknownLog ?? Math.log(PRIOR_S)) : known.median;
    return Math.exp(log + this.#lag(worker));
  }

  /** Seconds in which 95 of 100 such tasks are done there; NaN before {@link P95_SAMPLES_MIN} samples. */
  p95S(key: string, worker: string): number {
    const known = this.#keys.get(key);
    if (known === undefined || known.count < P95_SAMPLES_MIN) return Number.NaN;
    return Math.exp(known.quantile(0.95) + this.#lag(worker));
  }

  /** How many times the seconds of the median worker it takes; 1 where nothing is known. */
  slowness(worker: string): number {
    return Math.exp(this.#lag(worker));
  }

  /** A task has run to its end. */
  observe(key: string, worker: string, seconds: number): void {
    if (!(seconds >= 0)) return;
    this.version++;
    const log = Math.log(Math.min(Math.max(seconds, SECONDS_MIN), SECONDS_MAX));
    const known = this.#keys.get(key);
    // The first of its key says nothing about the worker.
    if (known !== undefined) this.#learnWorker(worker, log - known.median);
    this.#keyFor(key, known).push(log - this.#lag(worker));
    this.#learnUnknown();
  }

  /**
   * It was given up, or its worker was lost, after so long: it would have taken at least this. Says nothing
   * unless it is longer than expected. At most once for each attempt.
   */
  observeAtLeast(key: string, worker: string, seconds: number): void {
    if (seconds > this.predictS(key, worker)) this.observe(key, worker, seconds);
  }

  /** The worker has left for good. */
  forget(worker: string): void {
    if (this.#workers.delete(worker)) this.#comparePeers();
  }

  /** For {@link load}, after a restart. */
  save(): Uint8Array {
    const keys = [...this.#keys].map(([name, window]) => ({ name, logs: window.inOrderOfAge() }));
    const workers = [...this.#workers].map(([name, part]) => ({ name, logs: part.window.inOrderOfAge() }));
    return encodeDurations({ keys, workers });
  }

  /** What was saved, in the place of all; false, and nothing has changed, where it can not be read. */
  load(bytes: Uint8Array): boolean {
    const saved = decodeDurations(bytes);
    if (saved === null) return false;
    this.#keys.clear();
    this.#workers.clear();
    for (const { name, logs } of saved.keys.slice(-this.#keysMax)) {
      const window = new SampleWindow(KEY_SAMPLES_MAX);
      for (const log of logs) window.push(log);
      if (logs.length > 0) this.#keys.set(name, window);
    }
    for (const { name, logs } of saved.workers.slice(-WORKERS_MAX)) {
      const part = { window: new SampleWindow(WORKER_SAMPLES_MAX), own: 0 };
      for (const log of logs) part.window.push(log);
      part.own = ownPart(part.window);
      this.#workers.set(name, part);
    }
    this.#comparePeers();
    this.#samplesUntilUnknown = 0;
    this.#learnUnknown();
    return true;
  }

  #lag(worker: string): number {
    const known = this.#workers.get(worker);
    return known === undefined ? 0 : known.own - this.#peers;
  }

  #keyFor(key: string, known: SampleWindow | undefined): SampleWindow {
    const window = known ?? new SampleWindow(KEY_SAMPLES_MAX);
    setLatest(this.#keys, key, window, this.#keysMax);
    return window;
  }

  /** `rest`: how much longer than its key's median it took there, as a logarithm. */
  #learnWorker(worker: string, rest: number): void {
    const part = this.#workers.get(worker) ?? {
      window: new SampleWindow(WORKER_SAMPLES_MAX),
      own: 0,
    };
    setLatest(this.#workers, worker, part, WORKERS_MAX);
    part.window.push(rest);
    part.own = ownPart(part.window);
    if (this.#samplesUntilPeers-- <= 0) this.#comparePeers();
  }

  /** Of many workers not after each sample: a constant cost a sample. */
  #comparePeers(): void {
    this.#samplesUntilPeers = this.#workers.size >> 3;
    this.#peers = medianOf([...this.#workers.values()].map(({ own }) => own)) ?? 0;
  }

  /** Anew after a part of as many samples as there are keys: a constant cost a sample. */
  #learnUnknown(): void {
    if (this.#samplesUntilUnknown-- > 0) return;
    this.#samplesUntilUnknown = this.#keys.size >> 2;
    this.#unknownLog = medianOf([...this.#keys.values()].map((window) => window.median));
  }
}

interface WorkerPart {
  readonly window: SampleWindow;
  /** Its part before it is compared with the peers'. */
  own: number;
}

/**
 * What the samples say for sure: their median, nearer to none by its standard error (1.25 sigma / sqrt(n);
 * sigma from the quartiles, which wild samples do not move). Two samples of "as its peers" come first, so
 * that the third of a new worker is the first that counts.
 */
function ownPart(window: SampleWindow): number {
  const middle = window.medianAmong(COLD_SAMPLES);
  const sigma = (window.quantile(0.75) - window.quantile(0.25)) / QUARTILES_IN_SIGMA;
  const errorOfMiddle = (MEDIAN_ERROR * sigma) / Math.sqrt(window.count);
  return Math.sign(middle) * Math.max(0, Math.abs(middle) - errorOfMiddle);
}

/** Puts it behind all others, and drops the one that was not used for the longest time. */
function setLatest<T>(all: Map<string, T>, name: string, value: T, entriesMax: number): void {
  all.delete(name);
  all.set(name, value);
  if (all.size > entriesMax) all.delete(all.keys().next().value!);
}

function medianOf(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Before anything is known. */
const PRIOR_S = 1;
const SECONDS_MIN = 0.000_1;
const SECONDS_MAX = 1e9;
const KEYS_MAX = 10_000;
const WORKERS_MAX = 1_000;
const KEY_SAMPLES_MAX = 64;
/** A worker that changes its speed is seen after half of them. */
const WORKER_SAMPLES_MAX = 24;
const COLD_SAMPLES = 2;
const P95_SAMPLES_MIN = 20;
const QUARTILES_IN_SIGMA = 1.349;
const MEDIAN_ERROR = 1.253;
