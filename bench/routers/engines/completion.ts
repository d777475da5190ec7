import { passageText } from "../../../src/demo/passage.ts";

/** What a client asks an embedded engine for. */
export interface Ask {
  readonly isChat: boolean;
  readonly isStream: boolean;
  readonly includesUsage: boolean;
  readonly prompt: string;
  /** How much the model has to say: drawn by the request's seed, which is the number itself here. */
  readonly outputTokens: number;
}

/** What an answer cost. */
export interface Usage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

/** Reads a request of `/v1/chat/completions` or `/v1/completions`; undefined for what is none. */
export function readAsk(isChat: boolean, body: string): Ask | undefined {
  let fields: Fields;
  try {
    fields = JSON.parse(body) as Fields;
  } catch {
    return undefined;
  }
  const prompt = isChat ? textOf(fields.messages) : fields.prompt;
  if (typeof prompt !== "string" || prompt === "") return undefined;
  const limit = fields.max_completion_tokens ?? fields.max_tokens ?? OUTPUT_TOKENS_MAX;
  return {
    isChat,
    isStream: fields.stream === true,
    includesUsage: fields.stream_options?.include_usage === true,
    prompt,
    outputTokens: Math.max(1, Math.min(fields.seed ?? OUTPUT_TOKENS_DEFAULT, limit, OUTPUT_TOKENS_MAX)),
  };
}

/** The event of the tokens from `first` to `end`. */
export function tokensEvent(ask: Ask, id: string, first: number, end: number): string {
  const whole = passageText(end);
  const text = whole.slice(first === 0 ? 0 : passageText(first).length);
  const role = first === 0 ? { role: "assistant" } : {};
  const choice = ask.isChat ? { delta: { ...role, content: text } } : { text };
  return event(ask, id, [{ index: 0, ...choice, finish_reason: null }]);
}

/** What follows the last token: why it ended, the usage where it was asked for, and `[DONE]`. */
export function endEvents(ask: Ask, id: string, usage: Usage): string {
  const last = ask.isChat ? { delta: {} } : { text: "" };
  const end = event(ask, id, [{ index: 0, ...last, finish_reason: "stop" }]);
  return `${end}${ask.includesUsage ? event(ask, id, [], usageFields(usage)) : ""}data: [DONE]\n\n`;
}

/** The answer in one piece. */
export function wholeAnswer(ask: Ask, id: string, usage: Usage): string {
  const content = passageText(usage.outputTokens);
  const said = ask.isChat ? { message: { role: "assistant", content } } : { text: content };
  const choices = [{ index: 0, ...said, finish_reason: "stop" }];
  const object = ask.isChat ? "chat.completion" : "text_completion";
  return JSON.stringify({
    id,
    object,
    created: CREATED,
    model: MODEL_NAME,
    choices,
    usage: usageFields(usage),
  });
}

/** The model that all embedded engines serve. */
export const MODEL_NAME = "bench";

/** The only fields that matter here. */
interface Fields {
  readonly messages?: readonly { readonly content?: unknown }[];
  readonly prompt?: unknown;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly seed?: number;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
}

const OUTPUT_TOKENS_DEFAULT = 64;
const OUTPUT_TOKENS_MAX = 8192;
const CREATED = Math.floor(Date.now() / 1000);

/** Texts of all messages; a text may come as a list of parts. */
function textOf(messages: Fields["messages"]): string | undefined {
  if (!Array.isArray(messages)) return undefined;
  return messages.map(({ content }: { content?: unknown }) => partText(content)).join("");
}

function partText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: string }) => part.text ?? "").join("");
}

function event(ask: Ask, id: string, choices: readonly object[], usage: object | null = null): string {
  const object = ask.isChat ? "chat.completion.chunk" : "text_completion";
  const counts = ask.includesUsage ? { usage } : {};
  const fields = { id, object, created: CREATED, model: MODEL_NAME, choices, ...counts };
  return `data: ${JSON.stringify(fields)}\n\n`;
}

function usageFields({ promptTokens, cachedTokens, outputTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: outputTokens,
    total_tokens: promptTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
