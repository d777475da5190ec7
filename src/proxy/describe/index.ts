import { ANTHROPIC_APIS } from "./anthropic.ts";
import { ENGINE_APIS } from "./engines.ts";
import type { LlmApi } from "./llm-api.ts";
import { OLLAMA_APIS } from "./ollama.ts";
import { OPENAI_APIS } from "./openai.ts";

/** The menu of LLM APIs. */
export const LLM_APIS: readonly LlmApi[] = [
  ...OPENAI_APIS,
  ...ANTHROPIC_APIS,
  ...OLLAMA_APIS,
  ...ENGINE_APIS,
];
