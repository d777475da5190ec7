// Hot path: a few loads and stores a use; a pass over the buckets where the horizon is set.

/**
 * Clocks of caches that forget what was used least lately, one a slot, over a buffer that threads share.
 *
 * A clock counts uses of blocks, and a ring of buckets counts how many blocks were used last in each stretch
 * of it. So it is known how many blocks were used after a given time ("depth", Mattson's stack distance), and
 * before which time a cache of a given capacity has forgotten. Threads may tear a count; it is a hint.
 */
export class UseClock {
  /** By slot: uses so far; wraps after 2^31, which forgets what was known. */
  readonly #clocks: Int32Array;
  /** By slot: what was used last before that time is forgotten. */
  readonly horizons: Int32Array;
  /** By slot: a bucket counts 2^({@link BITS_MAX} - this) uses. */
  readonly #finer: Int32Array;
  /** By slot, {@link BUCKETS} each. */
  readonly #buckets: Int32Array;

  /** `offset`: of {@link bytes} in the buffer; a multiple of 4. All zero is the beginning. */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, offset: number, slots: number) {
    this.#clocks = new Int32Array(buffer, offset, slots);
    this.horizons = new Int32Array(buffer, offset + slots * 4, slots);
    this.#finer = new Int32Array(buffer, offset + slots * 8, slots);
    this.#buckets = new Int32Array(buffer, offset + slots * 12, slots * BUCKETS);
  }

  static bytes(slots: number): number {
    return slots * (12 + BUCKETS * 4);
  }

  now(slot: number): number {
    return this.#clocks[slot]!;
  }

  forget(slot: number): void {
    this.#clocks[slot] = 0;
    this.horizons[slot] = 0;
    this.#finer[slot] = 0;
    this.#buckets.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
  }

  /**
   * Makes the buckets fine enough for a cache of so many blocks; what was before is forgotten then, which
   * happens a few times in an endpoint's life.
   */
  refine(slot: number, capacity: number): void {
    const bits = BITS_MAX - this.#finer[slot]!;
    if (bits === 0 || capacity >= BUCKETS_PER_CAPACITY << bits) return;
    const finer = Math.floor(Math.log2(Math.max(1, capacity / BUCKETS_PER_CAPACITY)));
    this.#finer[slot] = BITS_MAX - Math.min(bits - 1, finer);
    this.#buckets.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
    this.horizons[slot] = this.#clocks[slot]! + 1;
  }

  /** `blocks` are used, as the latest ones; returns the time of it. */
  tick(slot: number, blocks: number): number {
    const before = Atomics.add(this.#clocks, slot, blocks);
    if (before > TIME_MAX) {
      this.forget(slot);
      return this.tick(slot, blocks);
    }
    const time = before + blocks;
    const bits = BITS_MAX - this.#finer[slot]!;
    const first = Math.max((before >> bits) + 1, (time >> bits) - BUCKETS + 1);
    for (let bucket = first; bucket <= time >> bits; bucket++) {
      // What stood in this place of the ring is older than all that is known: it counts with the oldest.
      const old = Atomics.exchange(this.#buckets, placeOf(slot, bucket), 0);
      if (old !== 0) Atomics.add(this.#buckets, placeOf(slot, bucket + 1), old);
    }
    Atomics.add(this.#buckets, placeOf(slot, time >> bits), blocks);
    return time;
  }

  /** A block that was used last at that time is used again, or forgotten. */
  leave(slot: number, time: number): void {
    const bucket = Math.max(time >> (BITS_MAX - this.#finer[slot]!), this.#oldest(slot));
    Atomics.sub(this.#buckets, placeOf(slot, bucket), 1);
  }

  /** How many blocks were used after that time, to half a bucket. */
  depthOf(slot: number, time: number): number {
    const bits = BITS_MAX - this.#finer[slot]!;
    const last = Math.max(time >> bits, this.#oldest(slot));
    let depth = 0;
    for (let bucket = this.#clocks[slot]! >> bits; bucket > last; bucket--) {
      depth += this.#buckets[placeOf(slot, bucket)]!;
    }
    return depth + this.#buckets[placeOf(slot, last)]! / 2;
  }

  /** The latest `capacity` blocks are remembered, and no others; Infinity is all. */
  setHorizon(slot: number, capacity: number): void {
    if (capacity === Number.POSITIVE_INFINITY) return;
    const bits = BITS_MAX - this.#finer[slot]!;
    const oldest = this.#oldest(slot);
    let left = capacity;
    for (let bucket = this.#clocks[slot]! >> bits; bucket >= oldest; bucket--) {
      const count = this.#buckets[placeOf(slot, bucket)]!;
      if (count > left) {
        const share = Math.max(0, left) / count;
        this.horizons[slot] = ((bucket + 1) << bits) - Math.round(share * (1 << bits));
        return;
      }
      left -= count;
    }
    this.horizons[slot] = 0;
  }

  #oldest(slot: number): number {
    return Math.max(0, (this.#clocks[slot]! >> (BITS_MAX - this.#finer[slot]!)) - BUCKETS + 1);
  }
}

function placeOf(slot: number, bucket: number): number {
  return slot * BUCKETS + (bucket & (BUCKETS - 1));
}

const BUCKETS = 256;
/** 256 uses a bucket, at first: some percent of what a large engine's cache holds. */
const BITS_MAX = 8;
const BUCKETS_PER_CAPACITY = 8;
const TIME_MAX = 2 ** 30;
