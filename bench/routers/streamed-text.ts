import { passageText } from "../../src/demo/passage.ts";

/** Reads the events of one streamed chat answer, in pieces of any size, and knows whether it was whole. */
export class StreamedText {
  readonly #expected: string;
  #rest = "";
  #text = "";
  #isDone = false;
  #complaint = "";
  /** As the usage says; -1 is nothing said. */
  cachedTokens = -1;

  constructor(outputTokens: number) {
    this.#expected = passageText(outputTokens);
  }

  /** True when there was text of the answer in it. */
  read(chunk: string): boolean {
    const events = (this.#rest + chunk).split(/\r?\n\r?\n/);
    this.#rest = events.pop()!;
    let hadText = false;
    for (const event of events) if (this.#take(event)) hadText = true;
    return hadText;
  }

  /** To be asked at the end: what is wrong with the answer; empty when it is whole. */
  get problem(): string {
    if (this.#complaint !== "") return this.#complaint;
    if (this.#text !== this.#expected) {
      return `the text is not what was written: ${this.#text.length} of ${this.#expected.length} characters`;
    }
    return this.#isDone ? "" : "the stream did not end with [DONE]";
  }

  #take(event: string): boolean {
    if (!event.startsWith("data:")) return false;
    const data = event.slice("data:".length).trim();
    if (data === "[DONE]") {
      this.#isDone = true;
      return false;
    }
    let chunk: Chunk;
    try {
      chunk = JSON.parse(data) as Chunk;
    } catch {
      this.#complaint ||= `an event that is no JSON: ${data.slice(0, 80)}`;
      return false;
    }
    if (chunk.error !== undefined) this.#complaint ||= `an error event: ${data.slice(0, 80)}`;
    this.cachedTokens = chunk.usage?.prompt_tokens_details?.cached_tokens ?? this.cachedTokens;
    const text = chunk.choices?.[0]?.delta?.content ?? "";
    this.#text += text;
    return text !== "";
  }
}

/** What matters of an event. */
interface Chunk {
  readonly error?: unknown;
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: { readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null } | null;
}
