/**
 * Counts of values in buckets that grow by a quarter of an octave (19 %), for values from 0.01 to 10^7 of any
 * unit. A quantile read from it is at most 19 % too high; memory is constant; recording allocates nothing.
 */
export class Histogram {
  readonly #counts: Float64Array = new Float64Array(BUCKETS);
  count = 0;
  sum = 0;

  record(value: number): void {
    this.#counts[bucketOf(value)]! += 1;
    this.count++;
    this.sum += value;
  }

  /** How many values were at most `bound` (rounded up to the end of its bucket). */
  countUpTo(bound: number): number {
    let count = 0;
    const last = bucketOf(bound);
    for (let i = 0; i <= last; i++) count += this.#counts[i]!;
    return count;
  }

  /** The value below which the share `q` (0..1) lies; NaN when nothing was recorded. */
  quantile(q: number): number {
    if (this.count === 0) return Number.NaN;
    let left = Math.ceil(q * this.count);
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i]!;
      if (left <= 0) return endOf(i);
    }
    return endOf(BUCKETS - 1);
  }

  add(other: Histogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i]!;
    this.count += other.count;
    this.sum += other.sum;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.sum = 0;
  }

  /** A copy that may be posted to another thread. */
  dump(): HistogramData {
    return { counts: this.#counts.slice(), count: this.count, sum: this.sum };
  }

  /** Becomes what was dumped. */
  load({ counts, count, sum }: HistogramData): void {
    this.#counts.set(counts);
    this.count = count;
    this.sum = sum;
  }
}

/** The contents of a {@link Histogram}. */
export interface HistogramData {
  readonly counts: Float64Array;
  readonly count: number;
  readonly sum: number;
}

/** What happened lately: two histograms that take turns, so that a quantile covers one to two periods. */
export class RecentHistogram {
  readonly #periodMs: number;
  #current: Histogram = new Histogram();
  #previous: Histogram = new Histogram();
  #turnAtMs = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  record(value: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#current.record(value);
  }

  quantile(q: number, nowMs: number): number {
    this.#turn(nowMs);
    const both = new Histogram();
    both.add(this.#previous);
    both.add(this.#current);
    return both.quantile(q);
  }

  /** Adds what is recent in another one of the same period. */
  add(other: RecentHistogram, nowMs: number): void {
    this.#turn(nowMs);
    other.#turn(nowMs);
    this.#current.add(other.#current);
    this.#previous.add(other.#previous);
  }

  /** A copy that may be posted to another thread. */
  dump(): RecentHistogramData {
    return { current: this.#current.dump(), previous: this.#previous.dump(), turnAtMs: this.#turnAtMs };
  }

  /** Becomes what was dumped. */
  load({ current, previous, turnAtMs }: RecentHistogramData): void {
    this.#current.load(current);
    this.#previous.load(previous);
    this.#turnAtMs = turnAtMs;
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#turnAtMs) return;
    const isLongAgo = nowMs - this.#turnAtMs >= this.#periodMs;
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.clear();
    if (isLongAgo) this.#previous.clear();
    this.#turnAtMs = nowMs + this.#periodMs;
  }
}

/** The contents of a {@link RecentHistogram}. */
export interface RecentHistogramData {
  readonly current: HistogramData;
  readonly previous: HistogramData;
  readonly turnAtMs: number;
}

const SMALLEST = 0.01;
const PER_OCTAVE = 4;
const BUCKETS = 121;

function bucketOf(value: number): number {
  if (!(value > SMALLEST)) return 0;
  const bucket = Math.ceil(Math.log2(value / SMALLEST) * PER_OCTAVE - 1e-9);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

function endOf(bucket: number): number {
  return SMALLEST * 2 ** (bucket / PER_OCTAVE);
}
