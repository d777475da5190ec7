import type { CompletionRequest } from "./openai-request.ts";
import { passageText, tokenText } from "./passage.ts";

/**
 * The text of one answer in the shapes of the OpenAI API: whole, or as server-sent events.
 * What all events of a stream share is written once; a token costs two joins of strings.
 */
export class OpenAiAnswer {
  readonly #request: CompletionRequest;
  readonly #envelope: Envelope;
  readonly #head: string;
  readonly #tail: string;

  constructor(request: CompletionRequest, envelope: Envelope) {
    this.#request = request;
    this.#envelope = envelope;
    const field = request.kind === "chat" ? `"delta":{"content":` : `"text":`;
    const close = request.kind === "chat" ? "}" : "";
    this.#head = `data: ${this.#open("chat.completion.chunk")},"choices":[{"index":0,${field}`;
    this.#tail = `${close},"logprobs":null,"finish_reason":null}]${request.includesUsage ? `,"usage":null` : ""}}\n\n`;
  }

  /** The event of one token (0-based); chat streams say the role first. */
  tokenEvent(index: number): string {
    const event = this.#head + JSON.stringify(tokenText(index)) + this.#tail;
    return index === 0 && this.#request.kind === "chat" ? this.#roleEvent() + event : event;
  }

  /** Everything after the last token: why it ended, the usage where it was asked for, `[DONE]`. */
  endEvents(): string {
    const { kind, finishReason, includesUsage } = this.#request;
    const nothing = kind === "chat" ? `"delta":{}` : `"text":""`;
    const usageNull = includesUsage ? `,"usage":null` : "";
    const open = `data: ${this.#open("chat.completion.chunk")}`;
    const end = `${open},"choices":[{"index":0,${nothing},"logprobs":null,"finish_reason":"${finishReason}"}]${usageNull}}\n\n`;
    const usage = includesUsage ? `${open},"choices":[],"usage":${this.#usage()}}\n\n` : "";
    return `${end}${usage}data: [DONE]\n\n`;
  }

  /** The whole answer as one JSON body. */
  body(): string {
    const { kind, outputTokens, finishReason } = this.#request;
    const text = JSON.stringify(passageText(outputTokens));
    const field =
      kind === "chat" ? `"message":{"role":"assistant","content":${text},"refusal":null}` : `"text":${text}`;
    const choice = `{"index":0,${field},"logprobs":null,"finish_reason":"${finishReason}"}`;
    return `${this.#open("chat.completion")},"choices":[${choice}],"usage":${this.#usage()}}`;
  }

  #roleEvent(): string {
    const open = `data: ${this.#open("chat.completion.chunk")}`;
    const usageNull = this.#request.includesUsage ? `,"usage":null` : "";
    const delta = `"delta":{"role":"assistant","content":""}`;
    return `${open},"choices":[{"index":0,${delta},"logprobs":null,"finish_reason":null}]${usageNull}}\n\n`;
  }

  #open(chatObject: string): string {
    const { id, model, createdSeconds, fingerprint } = this.#envelope;
    const object = this.#request.kind === "chat" ? chatObject : "text_completion";
    const fields = JSON.stringify({
      id,
      object,
      created: createdSeconds,
      model,
      system_fingerprint: fingerprint,
    });
    return fields.slice(0, -1);
  }

  #usage(): string {
    const { promptTokens, outputTokens } = this.#request;
    return JSON.stringify({
      prompt_tokens: promptTokens,
      completion_tokens: outputTokens,
      total_tokens: promptTokens + outputTokens,
    });
  }
}

/** What every chunk of an answer repeats. */
export interface Envelope {
  readonly id: string;
  readonly model: string;
  /** Unix time. */
  readonly createdSeconds: number;
  /** Says which demo server answered: a field that every OpenAI client shows. */
  readonly fingerprint: string;
}
