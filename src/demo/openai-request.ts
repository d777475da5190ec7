/** The two shapes of the generation API: `/v1/chat/completions` and `/v1/completions`. */
export type CompletionKind = "chat" | "text";

/** A request that was understood. */
export interface CompletionRequest {
  readonly kind: CompletionKind;
  readonly isStream: boolean;
  /** `stream_options.include_usage`: the last chunk says the token counts. */
  readonly includesUsage: boolean;
  /** Estimated: a token is four bytes; >= 1. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** `length` when the client's limit ends the answer, `stop` when the model has said it all. */
  readonly finishReason: "stop" | "length";
}

/** An answer in the OpenAI error shape. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** Reads and checks the body of a generation request. */
export function parseCompletionRequest(
  kind: CompletionKind,
  body: string,
  model: string,
  contextTokensMax: number,
): CompletionRequest | { readonly refusal: Refusal } {
  const fields = parseObject(body);
  if (fields === undefined) return invalid("the body is not a JSON object", null);
  if (fields["model"] !== undefined && fields["model"] !== model)
    return { refusal: unknownModel(fields["model"]) };
  const promptBytes = kind === "chat" ? bytesOfMessages(fields["messages"]) : bytesOfPrompt(fields["prompt"]);
  if (promptBytes === undefined) {
    return kind === "chat"
      ? invalid("messages: a list of { role, content }, not empty, is required", "messages")
      : invalid("prompt: a string or a list is required", "prompt");
  }
  const limit = fields["max_completion_tokens"] ?? fields["max_tokens"] ?? undefined;
  if (limit !== undefined && !(Number.isInteger(limit) && (limit as number) >= 1)) {
    return invalid("max_tokens: a whole number, 1 or more, is required", "max_tokens");
  }
  const promptTokens = Math.max(1, Math.ceil(promptBytes / BYTES_PER_TOKEN));
  const outputTokens = Math.min((limit as number | undefined) ?? OUTPUT_TOKENS_DEFAULT, OUTPUT_TOKENS_MAX);
  if (promptTokens + outputTokens > contextTokensMax) {
    const asked = `${promptTokens} of the prompt and ${outputTokens} of the answer`;
    return invalid(
      `the context is ${contextTokensMax} tokens, asked were ${asked}`,
      "messages",
      "context_length_exceeded",
    );
  }
  const streamOptions = fields["stream_options"];
  return {
    kind,
    isStream: fields["stream"] === true,
    includesUsage: isObject(streamOptions) && streamOptions["include_usage"] === true,
    promptTokens,
    outputTokens,
    finishReason: limit === undefined ? "stop" : "length",
  };
}

/** A model that is not served here. */
export function unknownModel(model: unknown): Refusal {
  const message = `the model ${JSON.stringify(model)} does not exist`;
  return { status: 404, message, type: "invalid_request_error", param: "model", code: "model_not_found" };
}

/** The body of an error answer. */
export function formatRefusal({ message, type, param, code }: Refusal): string {
  return JSON.stringify({ error: { message, type, param, code } });
}

const BYTES_PER_TOKEN = 4;
const OUTPUT_TOKENS_DEFAULT = 64;
const OUTPUT_TOKENS_MAX = 2048;

function invalid(
  message: string,
  param: string | null,
  code: string | null = null,
): { readonly refusal: Refusal } {
  return { refusal: { status: 400, message, type: "invalid_request_error", param, code } };
}

type Fields = Record<string, unknown>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseObject(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function bytesOfMessages(messages: unknown): number | undefined {
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  let bytes = 0;
  for (const message of messages as unknown[]) {
    if (!isObject(message) || typeof message["role"] !== "string") return undefined;
    const content = message["content"];
    if (typeof content === "string") bytes += Buffer.byteLength(content);
    else if (Array.isArray(content)) bytes += bytesOfParts(content);
    else if (content !== null && content !== undefined) return undefined;
  }
  return bytes;
}

function bytesOfParts(parts: readonly unknown[]): number {
  let bytes = 0;
  for (const part of parts) {
    if (isObject(part) && typeof part["text"] === "string") bytes += Buffer.byteLength(part["text"]);
  }
  return bytes;
}

/** A text, a list of texts, or a list of token ids. */
function bytesOfPrompt(prompt: unknown): number | undefined {
  if (typeof prompt === "string") return Buffer.byteLength(prompt);
  if (!Array.isArray(prompt) || prompt.length === 0) return undefined;
  let bytes = 0;
  for (const part of prompt as unknown[])
    bytes += typeof part === "string" ? Buffer.byteLength(part) : BYTES_PER_TOKEN;
  return bytes;
}
