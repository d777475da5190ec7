/**
 * What was expected of a prompt when it was placed, and what its answer told: policies learn from the
 * difference. All zero for work that is no prompt, or that was placed by a policy which does not care.
 */
export class Forecast {
  /** Tokens of the prompt; 0 is no prompt. */
  promptTokens = 0;
  /** Of these, not cached there as far as is known. */
  newTokens = 0;
  /** New tokens that must be computed until its first one: those that waited there before, and its own. */
  aheadTokens = 0;
  /** Context that it holds while it runs. */
  heldTokens = 0;
  /** What ran there when it was placed: answers, and tokens of context. */
  running = 0;
  contextTokens = 0;
  blockCount = 0;
  /** Blocks of which it was thought that they are cached there, and the age of the last of them. */
  matchedBlocks = 0;
  matchAge = 0;
  /** As the answer told; NaN is unknown. */
  cachedTokens: number = Number.NaN;
  outputTokens: number = Number.NaN;

  reset(): void {
    this.promptTokens = 0;
    this.newTokens = 0;
    this.aheadTokens = 0;
    this.heldTokens = 0;
    this.running = 0;
    this.contextTokens = 0;
    this.blockCount = 0;
    this.matchedBlocks = 0;
    this.matchAge = 0;
    this.cachedTokens = Number.NaN;
    this.outputTokens = Number.NaN;
  }
}
