// Hot path: set look-ups.
/**
 * Paths of engines that generate from what is in the request alone: sending one again elsewhere harms nobody
 * until an answer has begun. `/v1/responses` may store, files and batches do: they are not in it.
 */
const GENERATION_PATHS: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/rerank",
  "/v1/score",
  "/v1/messages",
  "/v1/messages/count_tokens",
  "/api/chat",
  "/api/generate",
  "/api/embed",
  "/generate",
  "/generate_stream",
  "/embed",
  "/rerank",
  "/completion",
]);

/** The request asks a model to generate from what it carries alone. */
export function isGeneration(method: string, path: string): boolean {
  return GENERATION_PATHS.has(path) && method === "POST";
}

/** The request is one of an LLM API: our own errors take its shape. */
export function isLlmPath(path: string): boolean {
  return path.startsWith("/v1/") || GENERATION_PATHS.has(path);
}

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/**
 * Whether a request may be sent to another backend after the first may have seen it (RFC 9110 9.2.2). `path`
 * is the one that backends are asked for.
 */
export function isReplaySafe(replay: "auto" | "always" | "never", method: string, path: string): boolean {
  switch (replay) {
    case "always":
      return true;
    case "never":
      return false;
    case "auto":
      return IDEMPOTENT.has(method) || isGeneration(method, path);
  }
}
