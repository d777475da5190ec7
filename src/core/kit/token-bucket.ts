/**
 * So many a second, and so many at once after a pause. It holds `burst` at the start, never more, and never
 * fewer than none. Times are any clock that does not go back; a step back gives and takes nothing.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** Infinity for both: no limit. `burst` >= 1, else nothing ever passes. */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Whole tokens that are there now. */
  available(nowMs: number): number {
    this.#fill(nowMs);
    // What was summed up from fractions counts as whole where it nearly is.
    return Math.floor(this.#tokens + 1e-9);
  }

  get isFull(): boolean {
    return this.#tokens >= this.#burst;
  }

  /** False, and nothing is taken, where there is none. */
  take(nowMs: number): boolean {
    if (this.available(nowMs) < 1) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** When the next one is there; Infinity: never. */
  nextMs(nowMs: number): number {
    if (this.available(nowMs) >= 1) return nowMs;
    return this.#burst < 1 ? Number.POSITIVE_INFINITY : nowMs + ((1 - this.#tokens) / this.#perSecond) * 1000;
  }

  #fill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
  }
}
