import { type LlmApi, llmApi } from "./llm-api.ts";
import type { KeyRoles } from "./role-table.ts";

const GENERATES: KeyRoles = {
  model: "model",
  // Absent means yes.
  stream: "stream",
  "options.num_predict": "outputLimit",
};

/** Ollama's own API. */
export const OLLAMA_APIS: readonly LlmApi[] = [
  llmApi({
    name: "ollama_chat",
    family: "ollama",
    task: "generate",
    paths: ["/api/chat"],
    replay: "safe",
    streams: "unless_declined",
    keys: { ...GENERATES, messages: "prompt", tools: "tools" },
  }),
  llmApi({
    name: "ollama_generate",
    family: "ollama",
    task: "generate",
    paths: ["/api/generate"],
    replay: "safe",
    streams: "unless_declined",
    keys: { ...GENERATES, prompt: "prompt", system: "system", context: "context", images: "media" },
  }),
  llmApi({
    name: "ollama_embed",
    family: "ollama",
    task: "embed",
    paths: ["/api/embed"],
    replay: "safe",
    streams: "never",
    keys: { model: "model", input: "prompt" },
  }),
  llmApi({
    name: "ollama_embeddings",
    family: "ollama",
    task: "embed",
    paths: ["/api/embeddings"],
    replay: "safe",
    streams: "never",
    keys: { model: "model", prompt: "prompt" },
  }),
];
