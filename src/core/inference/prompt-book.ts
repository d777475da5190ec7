import type { Ledger } from "../ledger.ts";
import { PrefixIndex, type PrefixIndexMemory } from "../affinity/prefix-index.ts";

/** The memory of a {@link PromptBook}; may be posted to other threads when it is shared. */
export interface PromptBookMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly prefixes: PrefixIndexMemory;
}

/**
 * What is known of those who answer prompts, by slot of the ledger; one for all pools, as one table for all
 * needs no share for each.
 */
export class PromptBook {
  readonly memory: PromptBookMemory;
  readonly prefixes: PrefixIndex;
  /** Milliseconds for a unit of a prompt; 0 is unknown. Written where pools are kept. */
  readonly unitMs: Float64Array;

  constructor(memory: PromptBookMemory) {
    this.memory = memory;
    this.prefixes = new PrefixIndex(memory.prefixes);
    this.unitMs = new Float64Array(memory.buffer);
  }

  /** For the endpoints of that ledger, and as many threads. */
  static of({ slotsMax, isShared }: Ledger): PromptBook {
    return new PromptBook(PromptBook.memory(slotsMax, isShared));
  }

  /** Nothing is known; the system gives what is used of it, when it is used. */
  static memory(slotsMax: number, isShared: boolean): PromptBookMemory {
    const bytes = slotsMax * 8;
    const buffer = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    return { buffer, prefixes: PrefixIndex.memory(slotsMax, PREFIX_BYTES_MAX, isShared) };
  }
}

/** Entries for a million blocks, as many as a hundred large engines hold. */
const PREFIX_BYTES_MAX = 12 * 2 ** 20;
