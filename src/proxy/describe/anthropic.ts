import { type LlmApi, llmApi } from "./llm-api.ts";
import type { KeyRoles } from "./role-table.ts";

const SHARED: KeyRoles = {
  model: "model",
  messages: "prompt",
  system: "system",
  tools: "tools",
  "metadata.user_id": "metadataUser",
  session_id: "session",
  priority: "priority",
  cache_salt: "salt",
};

/** Anthropic's Messages, which vLLM, SGLang, llama.cpp and Ollama speak, too. */
export const ANTHROPIC_APIS: readonly LlmApi[] = [
  llmApi({
    name: "anthropic_messages",
    family: "anthropic",
    task: "generate",
    paths: ["/v1/messages"],
    replay: "safe",
    streams: "when_asked",
    keys: { ...SHARED, stream: "stream", max_tokens: "outputLimit" },
  }),
  llmApi({
    name: "anthropic_count_tokens",
    family: "anthropic",
    task: "count",
    paths: ["/v1/messages/count_tokens"],
    replay: "safe",
    streams: "never",
    keys: SHARED,
  }),
];
