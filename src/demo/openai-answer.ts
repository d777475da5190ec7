import type { CompletionRequest } from "./openai-request.ts";
import { passageText, tokenText } from "./passage.ts";

/** The text of one answer in the shapes of the OpenAI API: whole, or as server-sent events. */
export class OpenAiAnswer {
  readonly #request: CompletionRequest;
  readonly #envelope: Envelope;
  /** What all events of the stream begin with, written once. */
  readonly #eventHead: string;

  constructor(request: CompletionRequest, envelope: Envelope) {
    this.#request = request;
    this.#envelope = envelope;
    this.#eventHead = `data: ${this.#open("chat.completion.chunk")},"choices":[`;
  }

  /** The event of one token (0-based); chat streams say the role first. */
  tokenEvent(index: number): string {
    const text = JSON.stringify(tokenText(index));
    if (this.#request.kind === "text") return this.#event(choice(`"text":${text}`, null));
    const event = this.#event(choice(`"delta":{"content":${text}}`, null));
    const role = `"delta":{"role":"assistant","content":""}`;
    return index === 0 ? this.#event(choice(role, null)) + event : event;
  }

  /** Everything after the last token: why it ended, the usage where it was asked for, `[DONE]`. */
  endEvents(): string {
    const { kind, finishReason, includesUsage } = this.#request;
    const end = this.#event(choice(kind === "chat" ? `"delta":{}` : `"text":""`, finishReason));
    const usage = includesUsage ? this.#event("", this.#usage()) : "";
    return `${end}${usage}data: [DONE]\n\n`;
  }

  /** The whole answer as one JSON body. */
  body(): string {
    const { kind, outputTokens, finishReason } = this.#request;
    const text = JSON.stringify(passageText(outputTokens));
    const message = `"message":{"role":"assistant","content":${text},"refusal":null}`;
    const only = choice(kind === "chat" ? message : `"text":${text}`, finishReason);
    return `${this.#open("chat.completion")},"choices":[${only}],"usage":${this.#usage()}}`;
  }

  /** With `include_usage` every event has the field: null, but in the one that is about it. */
  #event(choices: string, usage = "null"): string {
    const usageField = this.#request.includesUsage ? `,"usage":${usage}` : "";
    return `${this.#eventHead}${choices}]${usageField}}\n\n`;
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

function choice(field: string, finishReason: string | null): string {
  return `{"index":0,${field},"logprobs":null,"finish_reason":${JSON.stringify(finishReason)}}`;
}
