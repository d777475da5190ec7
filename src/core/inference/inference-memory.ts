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
  /** By slot: milliseconds for a new token of a prompt; 0 is unknown. Written where the pool is kept. */
  readonly prefillMs: Float64Array;
  /** By slot: milliseconds that each token of context adds to each token of each answer; 0 is unknown. */
  readonly heldMs: Float64Array;
  /** See {@link FIGURE}. */
  readonly figures: Float64Array;
  /** Blocks that were counted, by {@link COUNT}; every thread adds. */
  readonly counts: Int32Array;

  constructor(memory: InferenceMemory) {
    const { slotsMax } = memory.prefixes;
    this.memory = memory;
    this.prefixes = new PrefixIndex(memory.prefixes);
    this.figures = new Float64Array(memory.buffer, 0, FIGURES);
    this.counts = new Int32Array(memory.buffer, FIGURES * 8, COUNTS);
    this.prefillMs = new Float64Array(memory.buffer, HEAD_BYTES, slotsMax);
    this.heldMs = new Float64Array(memory.buffer, HEAD_BYTES + slotsMax * 8, slotsMax);
  }

  /** Nothing is known. */
  static memory(slotsMax: number, isShared: boolean): InferenceMemory {
    const bytes = HEAD_BYTES + slotsMax * 16;
    const buffer = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    const prefixes = PrefixIndex.memory(slotsMax, PREFIX_BYTES_MAX, isShared);
    const figures = new Float64Array(buffer, 0, FIGURES);
    figures[FIGURE.outputTokens] = OUTPUT_TOKENS_PRIOR;
    figures[FIGURE.aheadTokens] = AHEAD_TOKENS_PRIOR;
    return { buffer, prefixes };
  }
}

/** Numbers of the pool as a whole. */
export const FIGURE = {
  /** Surcharge for one more copy of a prefix, 0..4: see `reuse.ts`. */
  surcharge: 0,
  /** Tokens of an answer, on average. */
  outputTokens: 1,
  /** New tokens until a first byte, on average. */
  aheadTokens: 2,
} as const;

/** Blocks of prompts, as they were placed. */
export const COUNT = {
  /** The pool has seen them before. */
  seen: 0,
  /** Some endpoint has them cached. */
  cached: 1,
  /** They were not cached where they went. */
  new: 2,
} as const;

const FIGURES = 8;
const COUNTS = 4;
const HEAD_BYTES = FIGURES * 8 + COUNTS * 4;
/** Entries for a million blocks, as many as a hundred large engines hold. Taken as it is used. */
const PREFIX_BYTES_MAX = 12 * 2 ** 20;
const OUTPUT_TOKENS_PRIOR = 250;
const AHEAD_TOKENS_PRIOR = 1_000;
