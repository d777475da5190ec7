import type { Random } from "../core/kit/random.ts";

/** From `min` to `max`, both >= 1. */
export interface Spread {
  readonly min: number;
  readonly max: number;
}

/** What the demo's clients ask for. */
export interface Workload {
  /** Bytes of the prompt, log-uniform: many are short, a few are long. Four bytes are one token. */
  readonly promptBytes: Spread;
  /** Tokens of the answer, uniform. */
  readonly maxTokens: Spread;
}

/** Prompts of 200 to 1500 tokens (645 on average), answers of 40 to 80 (60 on average). */
export const DEMO_WORKLOAD: Workload = {
  promptBytes: { min: 800, max: 6000 },
  maxTokens: { min: 40, max: 80 },
};

/**
 * Requests per second that three demo servers carry well when each gets its due, and not when each gets a
 * third.
 */
export const DEMO_REQUESTS_PER_SECOND = 16;

/** The size of one request. */
export interface Ask {
  readonly promptBytes: number;
  readonly maxTokens: number;
}

/** Draws the next request; the same dice give the same requests. */
export function drawAsk(dice: Random, workload: Workload): Ask {
  const { promptBytes, maxTokens } = workload;
  const octaves = Math.log(promptBytes.max / promptBytes.min);
  return {
    promptBytes: Math.round(promptBytes.min * Math.exp(octaves * dice.float())),
    maxTokens: maxTokens.min + dice.below(maxTokens.max - maxTokens.min + 1),
  };
}
