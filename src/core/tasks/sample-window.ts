/** The last samples of something, by age and by size: exact quantiles of a window. O(samplesMax) a sample. */
export class SampleWindow {
  readonly #samplesMax: number;
  /** A ring; grows up to `samplesMax`. */
  readonly #byAge: number[] = [];
  readonly #bySize: number[] = [];
  #next = 0;

  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax;
  }

  get count(): number {
    return this.#byAge.length;
  }

  /** NaN where there is none. */
  get median(): number {
    return this.medianAmong(0);
  }

  /** As if so many zeros had been seen, too. */
  medianAmong(zeros: number): number {
    const count = this.#bySize.length + zeros;
    if (count === 0) return Number.NaN;
    const below = positionOf(this.#bySize, 0);
    const at = (place: number): number => {
      if (place < below) return this.#bySize[place]!;
      return place < below + zeros ? 0 : this.#bySize[place - zeros]!;
    };
    const middle = count >> 1;
    return count % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  }

  /** `part`: 0..1; between two samples in proportion. NaN where there is none. */
  quantile(part: number): number {
    const place = part * (this.#bySize.length - 1);
    const below = this.#bySize[Math.floor(place)] ?? Number.NaN;
    const above = this.#bySize[Math.ceil(place)] ?? below;
    return below + (above - below) * (place - Math.floor(place));
  }

  push(sample: number): void {
    if (this.#byAge.length === this.#samplesMax) {
      const oldest = this.#byAge[this.#next]!;
      this.#bySize.splice(positionOf(this.#bySize, oldest), 1);
    }
    this.#byAge[this.#next] = sample;
    this.#next = (this.#next + 1) % this.#samplesMax;
    this.#bySize.splice(positionOf(this.#bySize, sample), 0, sample);
  }

  /** Oldest first. */
  inOrderOfAge(): number[] {
    if (this.#byAge.length < this.#samplesMax) return [...this.#byAge];
    return [...this.#byAge.slice(this.#next), ...this.#byAge.slice(0, this.#next)];
  }
}

/** Of the first that is not smaller. */
function positionOf(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
