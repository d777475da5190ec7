// Hot path: some 15 ns a block that is looked at; all memory is taken at the start, and nothing is allocated.
import { combine } from "../kit/hash.ts";
import type { Prompt } from "../prompt.ts";
import { UseClock } from "./use-clock.ts";

/** The memory of an index; may be posted to other threads when it is shared. */
export interface PrefixIndexMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** A power of two. */
  readonly sets: number;
  readonly slotsMax: number;
}

/** What was expected of a prompt on an endpoint, and what is learned from when it comes otherwise. */
export interface PrefixMatch {
  /**
   * Blocks that the endpoint has probably cached, from the begin of the prompt, and the depth of the last.
   */
  matchedBlocks: number;
  matchedDepth: number;
  /** The same, with those that it has probably forgotten. */
  staleBlocks: number;
  staleDepth: number;
}

/**
 * Which endpoint has seen which blocks of which prompts, and so has them in its cache, probably.
 *
 * A table of sets of eight entries, over one buffer that threads share without a lock: an entry is a hint, a
 * lost or torn one costs a hit. The key of an entry is the block's hash mixed with the endpoint's slot and
 * generation, so an endpoint that left is never found again, and its entries give way to newer ones. A
 * further entry under no slot, but the pool's number, says that the pool has seen the block at all.
 *
 * Engines forget the block that was used least lately, so {@link UseClock} says which ones a cache has
 * forgotten, if its capacity is known. Nobody tells that: it is learned from what answers say was cached.
 *
 * Blocks of a prompt are matched as a prefix, by doubling and halving: log2 of the blocks an endpoint.
 */
export class PrefixIndex {
  readonly memory: PrefixIndexMemory;
  readonly #prints: Uint32Array;
  /** When the entry was used last, by its endpoint's clock and by the pool's. */
  readonly #times: Int32Array;
  readonly #poolTimes: Int32Array;
  readonly #clock: UseClock;
  readonly #setMask: number;
  /** By slot: blocks that its cache holds; Infinity as long as it has not shown that it forgets. */
  readonly capacity: Float64Array;
  /** Of the last match: when its last block was used. */
  #matchTime = 0;

  constructor(memory: PrefixIndexMemory) {
    const { buffer, sets, slotsMax } = memory;
    const slots = slotsMax + 1;
    const entries = sets * WAYS;
    const tables = columnsBytes(slots);
    this.memory = memory;
    this.#setMask = sets - 1;
    this.capacity = new Float64Array(buffer, 0, slots);
    this.#clock = new UseClock(buffer, slots * 8, slots);
    this.#prints = new Uint32Array(buffer, tables, entries);
    this.#times = new Int32Array(buffer, tables + entries * 4, entries);
    this.#poolTimes = new Int32Array(buffer, tables + entries * 8, entries);
  }

  /** `bytesMax`: the entries take at most so much, 12 bytes for a block on an endpoint. */
  static memory(slotsMax: number, bytesMax: number, isShared: boolean): PrefixIndexMemory {
    const slots = slotsMax + 1;
    const sets = 2 ** Math.floor(Math.log2(Math.max(1, bytesMax / (WAYS * BYTES_PER_ENTRY))));
    const bytes = columnsBytes(slots) + sets * WAYS * BYTES_PER_ENTRY;
    const buffer = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    new Float64Array(buffer, 0, slots).fill(Number.POSITIVE_INFINITY);
    return { buffer, sets, slotsMax };
  }

  /** The slot belongs to another endpoint: nothing is known of it. */
  forget(slot: number): void {
    this.capacity[slot] = Number.POSITIVE_INFINITY;
    this.#clock.forget(slot);
  }

  /** Blocks of the prompt, from its begin, that the endpoint has probably cached. */
  match(prompt: Prompt, slot: number, generation: number): number {
    return this.#match(prompt, slot, saltOf(slot, generation), this.#clock.horizons[slot]!);
  }

  /** Blocks that came to the endpoint after the last one of the last {@link match}, which was for it, too. */
  matchDepth(slot: number): number {
    return this.#clock.depthOf(slot, this.#matchTime);
  }

  /**
   * Blocks of the prompt, from its begin, that pool number `pool` has seen anywhere, as far as is remembered.
   */
  matchAnywhere(prompt: Prompt, pool: number): number {
    return this.#match(prompt, this.memory.slotsMax, saltOf(ANYWHERE, pool), 0);
  }

  /** Everything that {@link learn} wants to know, before {@link note}. */
  expect(prompt: Prompt, slot: number, generation: number, into: PrefixMatch): void {
    into.matchedBlocks = this.match(prompt, slot, generation);
    into.matchedDepth = this.matchDepth(slot);
    into.staleBlocks = this.#match(prompt, slot, saltOf(slot, generation), 0);
    into.staleDepth = this.matchDepth(slot);
  }

  /** The prompt of that pool goes there: all its blocks will be cached. */
  note(prompt: Prompt, slot: number, generation: number, pool: number): void {
    this.#note(prompt, slot, saltOf(slot, generation));
    this.#note(prompt, this.memory.slotsMax, saltOf(ANYWHERE, pool));
  }

  /** The endpoint's cache has taken in `blocks` more, such as those of an answer. */
  advance(slot: number, blocks: number): void {
    this.#clock.tick(slot, blocks);
    this.#clock.setHorizon(slot, this.capacity[slot]!);
  }

  /** So many blocks of a prompt were cached there, beside what was expected. */
  learn(slot: number, expected: Readonly<PrefixMatch>, cachedBlocks: number): void {
    const { matchedBlocks, matchedDepth, staleBlocks, staleDepth } = expected;
    const capacity = this.capacity[slot]!;
    if (cachedBlocks < matchedBlocks - 1) {
      const most = capacity === Number.POSITIVE_INFINITY ? this.#clock.depthOf(slot, 0) : capacity;
      // Something so new was forgotten: below zero, nothing is expected any more.
      if (matchedDepth <= most) this.capacity[slot] = most + (matchedDepth - 1 - most) * CAPACITY_GAIN;
    } else if (cachedBlocks > matchedBlocks + 1 && cachedBlocks >= staleBlocks - 1) {
      if (staleDepth > capacity) this.capacity[slot] = capacity + (staleDepth + 1 - capacity) * CAPACITY_GAIN;
    } else if (matchedBlocks > 0 && matchedDepth > capacity * CAPACITY_TESTED) {
      this.capacity[slot] = capacity * CAPACITY_GROWTH;
    }
    this.#clock.refine(slot, this.capacity[slot]!);
  }

  #match(prompt: Prompt, slot: number, salt: number, horizon: number): number {
    this.#matchTime = this.#clock.now(slot);
    const { blockCount } = prompt;
    if (blockCount === 0 || !this.#has(prompt, 1, salt, horizon)) return 0;
    let known = 1;
    let step = 1;
    for (; known + step <= blockCount && this.#has(prompt, known + step, salt, horizon); step *= 2) {
      known += step;
    }
    let unknown = Math.min(known + step, blockCount + 1);
    while (unknown - known > 1) {
      const middle = (known + unknown) >> 1;
      if (this.#has(prompt, middle, salt, horizon)) known = middle;
      else unknown = middle;
    }
    return known;
  }

  /** Block number `count`, from 1, was used after the horizon. */
  #has({ blocks }: Prompt, count: number, salt: number, horizon: number): boolean {
    const at = this.#find(blocks[count * 2 - 2]! ^ salt, printOf(blocks[count * 2 - 1]!, salt));
    if (at < 0 || this.#times[at]! < horizon) return false;
    this.#matchTime = this.#times[at]!;
    return true;
  }

  #find(hash: number, print: number): number {
    const prints = this.#prints;
    const first = (hash & this.#setMask) * WAYS;
    for (let i = first; i < first + WAYS; i++) if (prints[i] === print) return i;
    return -1;
  }

  #note({ blocks, blockCount }: Prompt, slot: number, salt: number): void {
    const time = this.#clock.tick(slot, blockCount);
    const poolTime = this.#clock.now(this.memory.slotsMax);
    for (let i = 0; i < blockCount; i++) {
      const hash = blocks[i * 2]! ^ salt;
      const print = printOf(blocks[i * 2 + 1]!, salt);
      let at = this.#find(hash, print);
      if (at < 0) at = this.#oldestOf(hash, poolTime);
      else this.#clock.leave(slot, this.#times[at]!);
      this.#prints[at] = print;
      this.#times[at] = time;
      this.#poolTimes[at] = poolTime;
    }
    this.#clock.setHorizon(slot, this.capacity[slot]!);
  }

  /** The entry of that set which was used least lately, or a free one. */
  #oldestOf(hash: number, poolTime: number): number {
    const first = (hash & this.#setMask) * WAYS;
    let oldest = first;
    let mostAge = -1;
    for (let i = first; i < first + WAYS; i++) {
      if (this.#prints[i] === FREE) return i;
      const age = poolTime - this.#poolTimes[i]!;
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
/** How far the capacity follows one surprise: it may have another reason (a restart, a flush). */
const CAPACITY_GAIN = 0.2;
/** A hit so near to the capacity says that it may be larger; nobody would try otherwise. */
const CAPACITY_TESTED = 0.7;
const CAPACITY_GROWTH = 1.005;
/** No slot has that number. */
const ANYWHERE = -1;

function saltOf(slot: number, generation: number): number {
  return combine(slot, generation);
}

/** Never that of a free entry. */
function printOf(hash: number, salt: number): number {
  return (hash ^ Math.imul(salt, 0x9e3779b1)) >>> 0 || 1;
}

/** Of capacities and clocks; a multiple of 8. */
function columnsBytes(slots: number): number {
  return Math.ceil((slots * 8 + UseClock.bytes(slots)) / 8) * 8;
}
