/**
 * The prefix cache of one engine: blocks by id, held by requests in progress or loose; loose ones leave in
 * the exact order of their last use. Tokens are counted, not blocks, as the last block of a prompt is
 * partial. Ids are small whole numbers from 0 (workloads number them): columns are indexed by them. Cost:
 * O(1) a block.
 */
export class PrefixCache {
  /** 0 is absent, 1 loose, n + 1 held by n requests. */
  #uses: Int32Array = new Int32Array(BLOCKS_AT_FIRST);
  #sizes: Int32Array = new Int32Array(BLOCKS_AT_FIRST);
  /** Loose blocks as a ring from the oldest to the newest; index is id + 1, 0 is the ring's end. */
  #older: Int32Array = new Int32Array(BLOCKS_AT_FIRST + 1);
  #newer: Int32Array = new Int32Array(BLOCKS_AT_FIRST + 1);
  /** Tokens in blocks that requests in progress hold. */
  heldTokens = 0;
  /** Tokens in blocks that may be evicted. */
  looseTokens = 0;

  /** How many of the leading blocks are there. */
  matched(blocks: readonly number[]): number {
    const uses = this.#uses;
    let count = 0;
    // Beyond the columns reads undefined: never seen.
    while (count < blocks.length && uses[blocks[count]!]! > 0) count++;
    return count;
  }

  /** Tokens of the first `count` blocks, which are there, that nobody holds. */
  looseTokensOf(blocks: readonly number[], count: number): number {
    let tokens = 0;
    for (let i = 0; i < count; i++) if (this.#uses[blocks[i]!] === 1) tokens += this.#sizes[blocks[i]!]!;
    return tokens;
  }

  /** Holds the first `count` blocks, which are there. */
  hold(blocks: readonly number[], count: number): void {
    for (let i = 0; i < count; i++) this.#hold(blocks[i]!);
  }

  /** Holds a block of that many tokens, which comes in if it is not there. */
  enter(block: number, tokens: number): void {
    if (block >= this.#uses.length) this.#grow(block);
    if (this.#uses[block]! > 0) return this.#hold(block);
    this.#uses[block] = 2;
    this.#sizes[block] = tokens;
    this.heldTokens += tokens;
  }

  /** The first `count` blocks are held once less; the last one will be the first to go. */
  release(blocks: readonly number[], count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      const block = blocks[i]!;
      this.#uses[block]! -= 1;
      if (this.#uses[block] !== 1) continue;
      this.heldTokens -= this.#sizes[block]!;
      this.looseTokens += this.#sizes[block]!;
      this.#link(block + 1);
    }
  }

  /** Evicts loose blocks, the longest unused first, until all together have at most `tokensMax`. */
  shrinkTo(tokensMax: number): void {
    while (this.heldTokens + this.looseTokens > tokensMax && this.looseTokens > 0) {
      const oldest = this.#newer[0]!;
      this.#unlink(oldest);
      this.looseTokens -= this.#sizes[oldest - 1]!;
      this.#uses[oldest - 1] = 0;
    }
  }

  clear(): void {
    this.#uses.fill(0);
    this.#older.fill(0);
    this.#newer.fill(0);
    this.heldTokens = 0;
    this.looseTokens = 0;
  }

  #hold(block: number): void {
    if (this.#uses[block] === 1) {
      this.#unlink(block + 1);
      this.looseTokens -= this.#sizes[block]!;
      this.heldTokens += this.#sizes[block]!;
    }
    this.#uses[block]! += 1;
  }

  #link(place: number): void {
    const newest = this.#older[0]!;
    this.#older[place] = newest;
    this.#newer[newest] = place;
    this.#newer[place] = 0;
    this.#older[0] = place;
  }

  #unlink(place: number): void {
    const older = this.#older[place]!;
    const newer = this.#newer[place]!;
    this.#newer[older] = newer;
    this.#older[newer] = older;
  }

  #grow(block: number): void {
    if (block > BLOCK_ID_MAX) throw new RangeError(`block id ${block}; at most ${BLOCK_ID_MAX}`);
    const length = 2 ** Math.ceil(Math.log2(block + 1));
    this.#uses = grown(this.#uses, length);
    this.#sizes = grown(this.#sizes, length);
    this.#older = grown(this.#older, length + 1);
    this.#newer = grown(this.#newer, length + 1);
  }
}

const BLOCKS_AT_FIRST = 1024;
/** 256 MB of columns an engine; the workloads number their blocks from 0. */
const BLOCK_ID_MAX = 2 ** 24 - 1;

function grown(column: Int32Array, length: number): Int32Array {
  const next = new Int32Array(length);
  next.set(column);
  return next;
}
