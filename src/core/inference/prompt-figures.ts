import type { PolicyMemory } from "../policies/policy.ts";

/** What the threads of a pool share of what is known about its prompts. */
export class PromptFigures {
  readonly memory: PolicyMemory;
  /** By {@link FIGURE}; written where the pool is kept. */
  readonly values: Float64Array;
  /** What was placed since the pool was tended, by {@link COUNT}; every thread adds. */
  readonly counts: Int32Array;

  constructor(memory: PolicyMemory) {
    this.memory = memory;
    this.values = new Float64Array(memory.buffer, 0, FIGURES);
    this.counts = new Int32Array(memory.buffer, FIGURES * 8, COUNTS);
  }

  /** Nothing is known. */
  static memory(isShared: boolean): PolicyMemory {
    const bytes = FIGURES * 8 + COUNTS * 4;
    const buffer = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    new Float64Array(buffer, 0, FIGURES).set(PRIORS);
    return { buffer };
  }

  /** The figure moves a little towards the sample. */
  fade(figure: number, sample: number): void {
    this.values[figure]! += (sample - this.values[figure]!) * GAIN;
  }
}

export const FIGURE = {
  /** What new units cost beside their time, as a share of it, 0..4: see `Reuse`. */
  surcharge: 0,
  /** Tokens of an answer, on average. */
  outputTokens: 1,
  /** Units until a first byte, on average. */
  aheadUnits: 2,
  /** Of what is only being computed where it matches, the share that is found in the cache; 0..1. */
  siblingShare: 3,
  /** Milliseconds for a token of an answer, on average. */
  stepMs: 4,
  /** Bytes of a prompt's JSON for a token. */
  bytesPerToken: 5,
} as const;

/** In the order of {@link FIGURE}. */
const PRIORS: readonly number[] = [0, 250, 1_000, 1, 25, 4];

/** What was placed. */
export const COUNT = {
  /** Blocks that had been cached somewhere, and are no more. */
  lostBlocks: 0,
  /** Blocks that were not cached where they went. */
  newBlocks: 1,
  /** Milliseconds of computing. */
  busyMs: 2,
} as const;

const FIGURES = PRIORS.length;
const COUNTS = 4;
const GAIN = 0.01;
