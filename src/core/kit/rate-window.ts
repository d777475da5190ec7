/** How often something happened in the last `BUCKETS` seconds; constant memory, no allocation. */
export class RateWindow {
  readonly #counts: Float64Array = new Float64Array(BUCKETS);
  #second = 0;
  #total = 0;

  /** Seconds that the window spans. */
  static readonly SPAN_SECONDS: number = 10;

  add(nowMs: number, count = 1): void {
    this.#roll(nowMs);
    this.#counts[this.#second % BUCKETS]! += count;
    this.#total += count;
  }

  /** Happenings in the window that ends now. */
  total(nowMs: number): number {
    this.#roll(nowMs);
    return this.#total;
  }

  #roll(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(second - this.#second, BUCKETS);
    for (let step = 1; step <= steps; step++) {
      const bucket = (this.#second + step) % BUCKETS;
      this.#total -= this.#counts[bucket]!;
      this.#counts[bucket] = 0;
    }
    if (steps > 0) this.#second = second;
    if (steps === BUCKETS) {
      this.#counts.fill(0);
      this.#total = 0;
    }
  }
}

const BUCKETS = 10;
