// Hot path: two nanoseconds for four bytes; grows by doubling when a prompt is longer than any before it.

/** One block: about 128 tokens of text. */
export const BLOCK_BYTES = 512;
/** Blocks of one prompt, at most: 2 MiB, half a million tokens. What comes behind them is counted only. */
export const BLOCKS_MAX = 4096;

const BLOCKS_FIRST = 32;
const LOW_START = 0x165667b1;
const HIGH_START = 0x27d4eb2f;
// Odd numbers with well mixed bits (xxHash's primes).
const PRIME_1 = 0x9e3779b1 | 0;
const PRIME_2 = 0x85ebca77 | 0;
const PRIME_3 = 0xc2b2ae3d | 0;

/** Shorter pieces go byte by byte. */
const WORDS_BYTES_MIN = 16;

/** The view through which words are read, kept because reads mostly come in one and the same buffer. */
let view: DataView = new DataView(new ArrayBuffer(0));

/** What {@link BlockChain.fill} takes at most. */
export const FILL_BYTES_MAX = 4096;
const filling = new Int32Array(FILL_BYTES_MAX / 4);
const fillingBytes = new Uint8Array(filling.buffer);

/**
 * A rolling hash over bytes that come in pieces of any size: two lanes of 32 bits, each a step that no two
 * different words take to the same place. With blocks, the state after each {@link BLOCK_BYTES} is kept, so
 * that an equal beginning gives equal blocks. Not for secrets: whoever wants to can make two texts meet.
 */
export class BlockChain {
  readonly #blocksMax: number;
  #low = LOW_START;
  #high = HIGH_START;
  /** The bytes of a word that is not complete. */
  #word = 0;
  #wordBytes = 0;
  /** Two lanes for each block. */
  states: Int32Array;
  count = 0;
  /** All that was fed, also behind the last block. */
  bytes = 0;

  /** `blocksMax` 0: one hash over all. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
    this.states = new Int32Array(blocksMax === 0 ? 0 : 2 * BLOCKS_FIRST);
  }

  reset(): void {
    this.#low = LOW_START;
    this.#high = HIGH_START;
    this.#word = 0;
    this.#wordBytes = 0;
    this.count = 0;
    this.bytes = 0;
  }

  /** The hash of all that was fed, its length included; feeding may go on. */
  get low(): number {
    return this.#low ^ Math.imul(this.#word + this.bytes, PRIME_3);
  }

  get high(): number {
    return this.#high ^ Math.imul(this.#word ^ Math.imul(this.bytes, PRIME_1), PRIME_2);
  }

  feed(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isFull()) {
      this.bytes += to - from;
      return;
    }
    let at = from;
    while (this.#wordBytes !== 0 && at < to) this.#feedByte(bytes[at++]!);
    if (to - at >= WORDS_BYTES_MIN) at = this.#feedWords(bytes, at, to);
    while (at < to) this.#feedByte(bytes[at++]!);
  }

  /** Two words again and again over `length` bytes (whole pairs, {@link FILL_BYTES_MAX} at most). */
  fill(low: number, high: number, length: number): void {
    for (let i = 0; i < length >> 2; i += 2) {
      filling[i] = low;
      filling[i + 1] = high;
    }
    this.feed(fillingBytes, 0, length);
  }

  #feedByte(byte: number): void {
    this.bytes++;
    this.#word |= byte << (8 * this.#wordBytes);
    if (++this.#wordBytes === 4) {
      const word = this.#word;
      this.#word = 0;
      this.#wordBytes = 0;
      this.#step(word);
      this.#closeBlock();
    }
  }

  /** From a word's beginning; returns where less than a word is left. */
  #feedWords(bytes: Uint8Array, from: number, to: number): number {
    if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
    const words = view;
    const offset = bytes.byteOffset;
    let at = offset + from;
    const last = offset + to - 4;
    while (at <= last && !this.#isFull()) {
      const left = BLOCK_BYTES - (this.bytes % BLOCK_BYTES);
      const end = Math.min(last, at + left - 4);
      const start = at;
      let low = this.#low;
      let high = this.#high;
      for (; at <= end; at += 4) {
        const word = words.getInt32(at, true);
        const sum = (low + Math.imul(word, PRIME_2)) | 0;
        low = Math.imul((sum << 13) | (sum >>> 19), PRIME_1);
        high = Math.imul(high ^ word, PRIME_3);
        high ^= high >>> 15;
      }
      this.#low = low;
      this.#high = high;
      this.bytes += at - start;
      this.#closeBlock();
    }
    return at - offset;
  }

  #step(word: number): void {
    const sum = (this.#low + Math.imul(word, PRIME_2)) | 0;
    this.#low = Math.imul((sum << 13) | (sum >>> 19), PRIME_1);
    const high = Math.imul(this.#high ^ word, PRIME_3);
    this.#high = high ^ (high >>> 15);
  }

  /** Keeps the state where a block ends: at a whole number of them. */
  #closeBlock(): void {
    if (this.bytes % BLOCK_BYTES !== 0 || this.#blocksMax === 0 || this.#isFull()) return;
    if (2 * this.count === this.states.length) {
      const grown = new Int32Array(2 * this.states.length);
      grown.set(this.states);
      this.states = grown;
    }
    this.states[2 * this.count] = this.#low;
    this.states[2 * this.count + 1] = this.#high;
    this.count++;
  }

  #isFull(): boolean {
    return this.#blocksMax !== 0 && this.count === this.#blocksMax;
  }
}
