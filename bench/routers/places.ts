/** The key that all requests carry; LiteLLM asks for one. */
export const API_KEY = "sk-bench";

/** How long after the last arrival an answer is waited for, seconds. */
export const DRAIN_S = 120;
