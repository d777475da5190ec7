/**
 * What an LLM request will cost, as far as it can be seen before it is sent. The caller owns it and uses it
 * again for the next request, so that the request path allocates nothing.
 */
export class Prompt {
  /** Tokens of the prompt, estimated; 1..2^31-1. */
  tokens = 1;
  /** What the client allows the answer, in tokens; 0 is nothing said. */
  outputTokensMax = 0;
  /** Its first token is seen when it comes, not only with the whole answer. */
  isStream = true;
  /** A hash of 64 bits for the prompt up to the end of each block: two numbers of 32 bits a block. */
  blocks: Uint32Array = NO_BLOCKS;
  blockCount = 0;
  /** Tokens of a block, estimated. */
  blockTokens = 128;

  reset(): void {
    this.tokens = 1;
    this.outputTokensMax = 0;
    this.isStream = true;
    this.blockCount = 0;
  }

  /** Tokens that need not be computed where so many blocks are cached: all but one at most. */
  cachedTokens(blocks: number): number {
    return Math.min(Math.floor(blocks * this.blockTokens), this.tokens - 1);
  }
}

const NO_BLOCKS = new Uint32Array(0);
