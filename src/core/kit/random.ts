/**
 * Dice that come in from outside, so that a seed reproduces anything.
 * Source: xoshiro128** 1.1 (Blackman and Vigna, 2018), seeded by splitmix32.
 */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed`: any number; its lower 32 bits count. */
  constructor(seed: number) {
    this.seed = seed >>> 0;
    let state = this.seed;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    const fives = Math.imul(this.#b, 5);
    const result = Math.imul((fives << 7) | (fives >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A number in [0, 1). */
  float(): number {
    return this.uint32() / 4294967296;
  }

  /** A whole number in [0, bound); `bound` >= 1. The bias is below bound / 2^32. */
  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  /** Exponentially distributed with that mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float());
  }

  /** A stream of its own: drawing from it does not shift the draws of this one. */
  split(label: number): Random {
    return new Random(Math.imul(this.seed ^ 0x85ebca6b, 0xc2b2ae35) + Math.imul(label + 1, 0x27d4eb2f));
  }
}
