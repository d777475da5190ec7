import { type LlmApi, llmApi } from "./llm-api.ts";
import type { KeyRoles } from "./role-table.ts";

/** What vLLM, SGLang and OpenAI itself take in any request. */
const SHARED: KeyRoles = {
  model: "model",
  user: "user",
  session_id: "session",
  "metadata.user_id": "metadataUser",
  priority: "priority",
  cache_salt: "salt",
  extra_key: "extraSalt",
  lora_path: "adapter",
};

const STREAMED: KeyRoles = {
  stream: "stream",
  "stream_options.include_usage": "includeUsage",
};

const SESSION: KeyRoles = {
  prompt_cache_key: "cacheKey",
  previous_response_id: "previousResponse",
  // A name, or an object with one.
  conversation: "conversation",
  "conversation.id": "conversation",
};

/** The APIs that OpenAI has made common. */
export const OPENAI_APIS: readonly LlmApi[] = [
  llmApi({
    name: "openai_chat",
    family: "openai",
    task: "generate",
    paths: ["/v1/chat/completions"],
    replay: "safe",
    streams: "when_asked",
    keys: {
      ...SHARED,
      ...STREAMED,
      ...SESSION,
      messages: "prompt",
      tools: "tools",
      functions: "functions",
      max_completion_tokens: "outputLimit",
      max_tokens: "olderOutputLimit",
      n: "choices",
      store: "store",
    },
  }),
  llmApi({
    name: "openai_completions",
    family: "openai",
    task: "generate",
    paths: ["/v1/completions"],
    replay: "safe",
    streams: "when_asked",
    keys: {
      ...SHARED,
      ...STREAMED,
      ...SESSION,
      prompt: "prompt",
      suffix: "system",
      max_tokens: "outputLimit",
      n: "choices",
    },
  }),
  llmApi({
    name: "openai_responses",
    family: "openai",
    task: "generate",
    paths: ["/v1/responses"],
    replay: "unless_stored",
    streams: "when_asked",
    keys: {
      ...SHARED,
      ...STREAMED,
      ...SESSION,
      input: "prompt",
      instructions: "system",
      tools: "tools",
      max_output_tokens: "outputLimit",
      store: "store",
    },
  }),
  llmApi({
    name: "openai_embeddings",
    family: "openai",
    task: "embed",
    paths: ["/v1/embeddings"],
    replay: "safe",
    streams: "never",
    keys: { ...SHARED, input: "prompt" },
  }),
  ...passed("openai_audio", ["/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"]),
  ...passed("openai_images", ["/v1/images/generations", "/v1/images/edits", "/v1/images/variations"]),
];

/** Recognised, and the model read where the body is JSON. */
function passed(name: string, paths: readonly string[]): LlmApi[] {
  const keys: KeyRoles = { model: "model", stream: "stream", user: "user" };
  return [llmApi({ name, family: "openai", task: "pass", paths, replay: "no", streams: "when_asked", keys })];
}
