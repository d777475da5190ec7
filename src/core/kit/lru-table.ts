// Hot path: a few loads and stores an operation; all memory is taken at the start, and nothing is allocated.

/**
 * Numbers ("hashes", whole, 0..2^53-1) in the order of their last use, each with a place of its own. Columns
 * that belong to the places are the caller's: 1..entriesMax, 0 is no place. All is O(1).
 */
export class LruTable {
  readonly entriesMax: number;
  /** The first place of each bucket, and the next one of each place. */
  readonly #buckets: Int32Array;
  readonly #nexts: Int32Array;
  readonly #hashes: Float64Array;
  /** A ring in the order of use: place 0 stands between the oldest and the latest. */
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  #count = 0;
  /** Places beyond were never used; those that are free again hang together by `#nexts`. */
  #usedUpTo = 0;
  #free = 0;

  /** `entriesMax`: 1..2^24. */
  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(entriesMax + 1)));
    this.#nexts = new Int32Array(entriesMax + 1);
    this.#hashes = new Float64Array(entriesMax + 1);
    this.#older = new Int32Array(entriesMax + 1);
    this.#newer = new Int32Array(entriesMax + 1);
  }

  get count(): number {
    return this.#count;
  }

  /** The place that was not used for the longest time; 0 when there is none. */
  get oldest(): number {
    return this.#newer[0]!;
  }

  /** The place that was used next after this one; 0 behind the latest. */
  newerThan(place: number): number {
    return this.#newer[place]!;
  }

  hashAt(place: number): number {
    return this.#hashes[place]!;
  }

  /** The place of that hash, or 0. */
  find(hash: number): number {
    let place = this.#buckets[this.#bucketOf(hash)]!;
    while (place !== 0 && this.#hashes[place] !== hash) place = this.#nexts[place]!;
    return place;
  }

  /** A place for a hash that has none, as the latest; throws RangeError when all are taken. */
  add(hash: number): number {
    if (this.#count === this.entriesMax) throw new RangeError(`more than ${this.entriesMax} entries`);
    let place = this.#free;
    if (place === 0) place = ++this.#usedUpTo;
    else this.#free = this.#nexts[place]!;
    const bucket = this.#bucketOf(hash);
    this.#hashes[place] = hash;
    this.#nexts[place] = this.#buckets[bucket]!;
    this.#buckets[bucket] = place;
    this.#count++;
    this.#link(place);
    return place;
  }

  /** It is the latest now. */
  touch(place: number): void {
    this.#unlink(place);
    this.#link(place);
  }

  /** The place is free. */
  remove(place: number): void {
    const bucket = this.#bucketOf(this.#hashes[place]!);
    let before = 0;
    for (let at = this.#buckets[bucket]!; at !== place; at = this.#nexts[at]!) before = at;
    if (before === 0) this.#buckets[bucket] = this.#nexts[place]!;
    else this.#nexts[before] = this.#nexts[place]!;
    this.#unlink(place);
    this.#nexts[place] = this.#free;
    this.#free = place;
    this.#count--;
  }

  /** By the lower 32 bits. */
  #bucketOf(hash: number): number {
    return hash & (this.#buckets.length - 1);
  }

  #link(place: number): void {
    const latest = this.#older[0]!;
    this.#older[place] = latest;
    this.#newer[place] = 0;
    this.#newer[latest] = place;
    this.#older[0] = place;
  }

  #unlink(place: number): void {
    const older = this.#older[place]!;
    const newer = this.#newer[place]!;
    this.#newer[older] = newer;
    this.#older[newer] = older;
  }
}
