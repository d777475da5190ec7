// Hot path: some 15 ns a block that is looked at; all memory is taken at the start, and nothing is allocated.
import { combine } from "../kit/hash.ts";
import type { Prompt } from "../prompt.ts";

/** The memory of an index; may be posted to other threads when it is shared. */
export interface PrefixIndexMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** A power of two. */
  readonly sets: number;
  readonly slotsMax: number;
}

/**
 * Which endpoint has seen which blocks of which prompts, and so has them in its cache, probably.
 *
 * A table of sets of eight entries, over one buffer that threads share without a lock: an entry is a hint, a
 * lost or torn one costs a hit. The key of an entry is the block's hash mixed with the endpoint's slot and
 * generation, so an endpoint that left is never found again, and its entries give way to newer ones. A
 * further entry under no slot says that the pool has seen the block at all.
 *
 * How old an entry is, is counted in blocks that were new to its endpoint since it was used last: an endpoint
 * whose cache holds `capacity` blocks has forgotten what is older. Nobody tells what an engine holds, so the
 * capacity is learned from what it says it had cached (`learn`).
 *
 * Blocks of a prompt are matched as a prefix, by doubling and halving: log2 of the blocks an endpoint.
 */
export class PrefixIndex {
  readonly memory: PrefixIndexMemory;
  readonly #prints: Uint32Array;
  /** The endpoint's clock, and the pool's, when the entry was used last. */
  readonly #stamps: Uint32Array;
  readonly #poolStamps: Uint32Array;
  /** By slot: blocks that were new to it, wrapping; behind them the pool's. */
  readonly #clocks: Uint32Array;
  /** By slot: blocks that its cache holds; Infinity as long as it has not shown that it forgets. */
  readonly capacity: Float64Array;
  readonly #setMask: number;
  /** Of the last match: age of the last block that matched, in blocks. */
  matchAge = 0;

  constructor(memory: PrefixIndexMemory) {
    const { buffer, sets, slotsMax } = memory;
    const entries = sets * WAYS;
    const tables = columnsBytes(slotsMax);
    this.memory = memory;
    this.#setMask = sets - 1;
    this.capacity = new Float64Array(buffer, 0, slotsMax + 1);
    this.#clocks = new Uint32Array(buffer, (slotsMax + 1) * 8, slotsMax + 1);
    this.#prints = new Uint32Array(buffer, tables, entries);
    this.#stamps = new Uint32Array(buffer, tables + entries * 4, entries);
    this.#poolStamps = new Uint32Array(buffer, tables + entries * 8, entries);
  }

  /** `bytesMax`: the entries take at most so much, 12 bytes for a block on an endpoint. */
  static memory(slotsMax: number, bytesMax: number, shared: boolean): PrefixIndexMemory {
    const sets = 2 ** Math.floor(Math.log2(Math.max(1, bytesMax / (WAYS * BYTES_PER_ENTRY))));
    const bytes = columnsBytes(slotsMax) + sets * WAYS * BYTES_PER_ENTRY;
    const buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    new Float64Array(buffer, 0, slotsMax + 1).fill(Number.POSITIVE_INFINITY);
    return { buffer, sets, slotsMax };
  }

  /** The slot belongs to another endpoint: nothing is known of it. */
  forget(slot: number): void {
    this.capacity[slot] = Number.POSITIVE_INFINITY;
    this.#clocks[slot] = 0;
  }

  /** Blocks of the prompt, from its begin, that the endpoint has probably cached. */
  match(prompt: Prompt, slot: number, generation: number): number {
    return this.#match(prompt, slot, saltOf(slot, generation));
  }

  /** Blocks of the prompt, from its begin, that the pool has seen anywhere, lately enough to remember it. */
  matchAnywhere(prompt: Prompt): number {
    return this.#match(prompt, this.memory.slotsMax, ANYWHERE);
  }

  /** The prompt goes there: all its blocks will be cached. */
  note(prompt: Prompt, slot: number, generation: number): void {
    this.#note(prompt, slot, saltOf(slot, generation));
    this.#note(prompt, this.memory.slotsMax, ANYWHERE);
  }

  /** The endpoint's cache has taken in `blocks` more, such as those of an answer. */
  advance(slot: number, blocks: number): void {
    Atomics.add(this.#clocks, slot, blocks);
  }

  /**
   * What an endpoint had cached of a prompt of which `matched` blocks were expected there, the last of them
   * of that age ({@link matchAge}): it shows how old a block may become in its cache.
   */
  learn(slot: number, matched: number, age: number, cachedBlocks: number): void {
    const capacity = this.capacity[slot]!;
    if (cachedBlocks < matched - 1) {
      // By a part: one surprise may have another reason (a restart, a flush, two blocks of one hash).
      const less = age * 0.9 - 1;
      if (capacity === Number.POSITIVE_INFINITY) this.capacity[slot] = less;
      else if (less < capacity) this.capacity[slot] = capacity + (less - capacity) * FALL;
    } else if (cachedBlocks > matched + 1 || age > capacity * 0.8) {
      this.capacity[slot] = Math.max(capacity, age, CAPACITY_BLOCKS_MIN) * RISE;
    }
  }

  #match(prompt: Prompt, slot: number, salt: number): number {
    this.matchAge = 0;
    const { blockCount } = prompt;
    if (blockCount === 0 || !this.#has(prompt, 1, slot, salt)) return 0;
    let known = 1;
    let step = 1;
    for (; known + step <= blockCount && this.#has(prompt, known + step, slot, salt); step *= 2)
      known += step;
    let unknown = Math.min(known + step, blockCount + 1);
    while (unknown - known > 1) {
      const middle = (known + unknown) >> 1;
      if (this.#has(prompt, middle, slot, salt)) known = middle;
      else unknown = middle;
    }
    return known;
  }

  /** Block number `count`, from 1, is cached there. */
  #has(prompt: Prompt, count: number, slot: number, salt: number): boolean {
    const { blocks } = prompt;
    const at = this.#find(blocks[count * 2 - 2]! ^ salt, printOf(blocks[count * 2 - 1]!, salt));
    if (at < 0) return false;
    const age = (this.#clocks[slot]! - this.#stamps[at]!) >>> 0;
    if (age > this.capacity[slot]!) return false;
    this.matchAge = age;
    return true;
  }

  #find(hash: number, print: number): number {
    const prints = this.#prints;
    const first = (hash & this.#setMask) * WAYS;
    for (let i = first; i < first + WAYS; i++) if (prints[i] === print) return i;
    return -1;
  }

  /** Returns how many of the blocks were cached there. */
  #note({ blocks, blockCount }: Prompt, slot: number, salt: number): number {
    const capacity = this.capacity[slot]!;
    const clock = this.#clocks[slot]!;
    const poolClock = this.#clocks[this.memory.slotsMax]!;
    let known = 0;
    for (let i = 0; i < blockCount; i++) {
      const hash = blocks[i * 2]! ^ salt;
      const print = printOf(blocks[i * 2 + 1]!, salt);
      let at = this.#find(hash, print);
      if (at >= 0 && (clock - this.#stamps[at]!) >>> 0 <= capacity) known++;
      if (at < 0) at = this.#oldestOf(hash, poolClock);
      this.#prints[at] = print;
      this.#stamps[at] = clock;
      this.#poolStamps[at] = poolClock;
    }
    Atomics.add(this.#clocks, slot, blockCount - known);
    return known;
  }

  /** The entry of that set which was used least lately, as the whole pool's clock counts; or a free one. */
  #oldestOf(hash: number, poolClock: number): number {
    const first = (hash & this.#setMask) * WAYS;
    let oldest = first;
    let mostAge = -1;
    for (let i = first; i < first + WAYS; i++) {
      if (this.#prints[i] === FREE) return i;
      const age = (poolClock - this.#poolStamps[i]!) >>> 0;
      if (age > mostAge) {
        mostAge = age;
        oldest = i;
      }
    }
    return oldest;
  }
}

const WAYS = 8;
const BYTES_PER_ENTRY = 12;
const FREE = 0;
/** How far the capacity comes down to what one surprise says, and how fast it goes up. */
const FALL = 0.3;
const RISE = 1.05;
const CAPACITY_BLOCKS_MIN = 8;
const ANYWHERE = combine(0x706f6f6c, 0);

function saltOf(slot: number, generation: number): number {
  return combine(slot, generation);
}

/** Never that of a free entry. */
function printOf(hash: number, salt: number): number {
  return (hash ^ Math.imul(salt, 0x9e3779b1)) >>> 0 || 1;
}

function columnsBytes(slotsMax: number): number {
  return Math.ceil(((slotsMax + 1) * 12) / 8) * 8;
}
