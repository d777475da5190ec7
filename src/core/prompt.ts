const NO_BLOCKS = new Uint32Array(0);

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

  /**
   * What is left to compute behind `cachedTokens`, in units of a token at the begin of a prompt: later ones
   * also attend to all before them. Whole, 1 or more.
   */
  prefillUnits(cachedTokens: number): number {
    const left = this.tokens - cachedTokens;
    return Math.max(1, Math.round(left * (1 + ATTENTION_SHARE * (cachedTokens + left / 2))));
  }
}

/**
 * What attending to one earlier token costs, as a share of a token's other work: 4 x layers x width FLOP
 * beside 2 x parameters, at half the efficiency. 5.3e-5 for Llama-3-8B on an A100, 2.5e-5 for a 70B model on
 * four H100 (Vidur's profiles), 5.5e-5 in Dynamo's mocker.
 */
const ATTENTION_SHARE = 4e-5;
