import type { PrefixMatch } from "./affinity/prefix-index.ts";

/**
 * What was expected of a prompt when it was placed, and what its answer told: policies learn from the
 * difference. All zero for work that is no prompt, or that was placed by a policy which does not care.
 */
export class Forecast implements PrefixMatch {
  /** Tokens of the prompt; 0 is no prompt. */
  promptTokens = 0;
  /** Units to be computed until its first byte: those that waited there before, and its own. */
  aheadUnits = 0;
  /** Units that need not be computed, as they were thought to be cached. */
  savedUnits = 0;
  /** 1: its first token is seen when it comes. */
  isStream = 1;
  /** When nothing of it should be left to compute, in milliseconds after the pick. */
  prefillMs = 0;
  /**
   * When the first byte of its answer is expected, in milliseconds after the pick; Infinity where nobody can
   * say: of an answer that comes as a whole, however long it may be.
   */
  firstSignMs = 0;
  /** 1: nobody has shown yet how fast such endpoints are. */
  isGuess = 0;
  /** Context that it holds while it runs. */
  heldTokens = 0;
  /** Tokens of the prompt that were expected in the cache. */
  expectedTokens = 0;
  /** Slot of the next best endpoint, and how many times the cost it would have been there; -1 is none. */
  nextSlot = -1;
  nextCost = 0;
  blockCount = 0;
  matchedBlocks = 0;
  matchedDepth = 0;
  staleBlocks = 0;
  staleDepth = 0;
  /** 1: what matched is still waiting there itself, or being computed. */
  isSibling = 0;
  /** As the answer told; NaN is unknown. */
  toldPromptTokens: number = Number.NaN;
  cachedTokens: number = Number.NaN;
  outputTokens: number = Number.NaN;
  /** By the endpoint's own clock: for all that was generated, and to load the model; NaN is unknown. */
  decodeMs: number = Number.NaN;
  loadMs: number = Number.NaN;

  reset(): void {
    this.promptTokens = 0;
    this.aheadUnits = 0;
    this.savedUnits = 0;
    this.isStream = 1;
    this.prefillMs = 0;
    this.firstSignMs = 0;
    this.isGuess = 0;
    this.heldTokens = 0;
    this.expectedTokens = 0;
    this.nextSlot = -1;
    this.nextCost = 0;
    this.blockCount = 0;
    this.matchedBlocks = 0;
    this.matchedDepth = 0;
    this.staleBlocks = 0;
    this.staleDepth = 0;
    this.isSibling = 0;
    this.toldPromptTokens = Number.NaN;
    this.cachedTokens = Number.NaN;
    this.outputTokens = Number.NaN;
    this.decodeMs = Number.NaN;
    this.loadMs = Number.NaN;
  }
}
