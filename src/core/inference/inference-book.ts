import { PrefixIndex, type PrefixIndexMemory } from "../affinity/prefix-index.ts";
import type { PolicyMemory } from "../policies/policy.ts";

/** The memory of an {@link InferenceBook}. */
export interface InferenceMemory extends PolicyMemory {
  readonly prefixes: PrefixIndexMemory;
}

/** What the threads of a pool share of what is known about prompts and those who answer them. */
export class InferenceBook {
  readonly memory: InferenceMemory;
  readonly prefixes: PrefixIndex;
  /** By slot: milliseconds for a unit of a prompt; 0 is unknown. Written where the pool is kept. */
  readonly unitMs: Float64Array;
  /** See {@link FIGURE}; written where the pool is kept. */
  readonly figures: Float64Array;
  /** What was placed since the pool was tended, by {@link COUNT}; every thread adds. */
  readonly counts: Int32Array;

  constructor(memory: InferenceMemory) {
    this.memory = memory;
    this.prefixes = new PrefixIndex(memory.prefixes);
    this.figures = new Float64Array(memory.buffer, 0, FIGURES);
    this.counts = new Int32Array(memory.buffer, FIGURES * 8, COUNTS);
    this.unitMs = new Float64Array(memory.buffer, HEAD_BYTES, memory.prefixes.slotsMax);
  }

  /** Nothing is known. */
  static memory(slotsMax: number, isShared: boolean): InferenceMemory {
    const bytes = HEAD_BYTES + slotsMax * 8;
    const buffer = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    const figures = new Float64Array(buffer, 0, FIGURES);
    figures[FIGURE.outputTokens] = OUTPUT_TOKENS_PRIOR;
    figures[FIGURE.aheadUnits] = AHEAD_UNITS_PRIOR;
    figures[FIGURE.siblingShare] = 1;
    return { buffer, prefixes: PrefixIndex.memory(slotsMax, PREFIX_BYTES_MAX, isShared) };
  }
}

/** Numbers of the pool as a whole. */
export const FIGURE = {
  /** What new units cost beside their time, as a share of it, 0..4: see `Reuse`. */
  surcharge: 0,
  /** Tokens of an answer, on average. */
  outputTokens: 1,
  /** Units until a first byte, on average. */
  aheadUnits: 2,
  /** Of what is only being computed where it matches, the share that is found in the cache; 0..1. */
  siblingShare: 3,
} as const;

/** What was placed. */
export const COUNT = {
  /** Blocks that had been cached somewhere, and are no more. */
  lostBlocks: 0,
  /** Blocks that were not cached where they went. */
  newBlocks: 1,
  /** Milliseconds of computing. */
  busyMs: 2,
} as const;

const FIGURES = 4;
const COUNTS = 4;
const HEAD_BYTES = FIGURES * 8 + COUNTS * 4;
/** Entries for a million blocks, as many as a hundred large engines hold. Taken as it is used. */
const PREFIX_BYTES_MAX = 12 * 2 ** 20;
const OUTPUT_TOKENS_PRIOR = 250;
const AHEAD_UNITS_PRIOR = 1_000;
