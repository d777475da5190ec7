// Hot path: for requests to models only; what it keeps of a body is hashes and numbers.
import type { Lease } from "../../core/lease.ts";
import { Prompt } from "../../core/prompt.ts";
import { NO_KEY, type Work } from "../../core/work.ts";
import { FIELD } from "../../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../../http1/head.ts";
import { answerForm, AnswerScan } from "./answer-scan.ts";
import { type ErrorDialect, type FinalError, finalErrorEvent } from "./final-error-event.ts";
import { FirstEvent, type FirstVerdict } from "./first-event.ts";
import type { LlmApi } from "./llm-api.ts";
import { modelOfPath } from "./recognise.ts";
import type { RequestFacts } from "./request-facts.ts";
import type { RequestScan } from "./request-scan.ts";
import { borrowScan, returnScan } from "./scan-room.ts";

/**
 * A request to a model and its answer: what the body says of its cost, and what the answer tells of it. One
 * for a client connection, used for one call after the other: `begin`, `push` and `describe`, then for each
 * attempt `answered` and what follows, and `end`.
 */
export class ModelCall {
  readonly answer: AnswerScan = new AnswerScan();
  readonly #prompt: Prompt = new Prompt();
  readonly #first: FirstEvent = new FirstEvent();
  #api: LlmApi | null = null;
  #scan: RequestScan | null = null;

  /** What the body says; null between two calls. Valid until {@link end}. */
  get facts(): RequestFacts | null {
    return this.#scan?.facts ?? null;
  }

  begin(api: LlmApi, head: RequestHead): void {
    this.end();
    // What the last answer told is not this one's.
    this.answer.begin("none");
    this.#api = api;
    this.#scan = borrowScan();
    this.#scan.begin(api, modelOfPath(head.path));
    this.#prompt.reset();
    // What is not generated has no length.
    if (api.task !== "generate") this.#prompt.outputTokensMax = 1;
  }

  /** Content of the request's body. */
  push(bytes: Buffer, start: number, end: number): void {
    this.#scan?.push(bytes.subarray(start, end));
  }

  /** Its body says what the work costs: not that of sound and pictures, nor of counting. */
  get isPrompt(): boolean {
    return this.#api !== null && this.#api.task !== "pass" && this.#api.task !== "count";
  }

  /** What the body has said by now. */
  read(): RequestFacts {
    return this.#scan!.finish(BYTES_PER_TOKEN);
  }

  /** The body has come, or as much of it as is waited for: puts the prompt into the work. */
  describe(work: Work, bytesPerToken: number, tenant: number = NO_KEY): void {
    const facts = this.#scan!.finish(bytesPerToken, tenant);
    const prompt = this.#prompt;
    prompt.tokens = Math.max(1, Math.round(facts.promptTokens));
    if (facts.outputTokensMax > 0 && prompt.outputTokensMax === 0) {
      prompt.outputTokensMax = facts.outputTokensMax * facts.choices;
    }
    prompt.isStream = facts.isStreamed;
    prompt.blocks = facts.blocks;
    prompt.blockCount = facts.blockCount;
    prompt.blockTokens = facts.blockTokens;
    work.prompt = prompt;
  }

  /**
   * What the body says of being sent twice, where its path says `byPath`: what the backend keeps of it
   * (`store`) would be there twice, or of what is not all here, might be.
   */
  mayReplay(byPath: boolean): boolean {
    const { store, state } = this.#scan!.facts;
    if (store === true) return false;
    if (this.#api!.replay !== "unless_stored") return byPath;
    return byPath || (store === false && state === "complete");
  }

  /** The head of an answer has come; true when its first token is still to come. */
  answered(head: ResponseHead): boolean {
    const type = head.value(FIELD.contentType);
    const form = answerForm(head.status, type, head.value(FIELD.contentEncoding));
    this.answer.begin(form);
    return form === "sse" || form === "ndjson";
  }

  /** Content of the answer. */
  take(bytes: Buffer, start: number, end: number): void {
    this.answer.take(bytes, start, end);
  }

  /** The end of a read: the lease is told of the first token. */
  readEnd(lease: Lease, nowMs: number): void {
    this.answer.readEnd(nowMs);
    if (lease.firstByteMs < 0 && !Number.isNaN(this.answer.firstContentMs)) lease.started();
  }

  /** The answer comes event by event. */
  get isStream(): boolean {
    return this.answer.form === "sse" || this.answer.form === "ndjson";
  }

  /** The head of the answer is held until its first token. */
  hold(): void {
    const { form } = this.answer;
    if (form === "sse" || form === "ndjson") this.#first.begin(form);
  }

  /** More of the answer, while its head is held. */
  verdict(bytes: Buffer, start: number, end: number): FirstVerdict {
    return this.#first.take(bytes, start, end);
  }

  /** The answer has ended while its head was held. */
  endVerdict(): FirstVerdict {
    return this.#first.end();
  }

  /** What is held, but for the head; until {@link letGo}. */
  get held(): Buffer {
    return this.#first.held;
  }

  letGo(): void {
    this.#first.release();
  }

  /** A last event for a stream whose backend has died: behind it follows the unclean end. "" for others. */
  lastEvent(error: FinalError): string {
    const { cut, form } = this.answer;
    if (cut === null || (form !== "sse" && form !== "ndjson")) return "";
    return finalErrorEvent(dialectOf(this.#api!), form, cut, error);
  }

  /** The answer is complete: what it has told of its cost goes to the lease. */
  complete(lease: Lease): void {
    const { answer } = this;
    answer.finish();
    const { promptTokens, cachedTokens, completionTokens, decodeMs, loadMs } = answer.usage;
    const outputTokens = Number.isNaN(completionTokens) ? answer.contentEvents : completionTokens;
    lease.told(promptTokens, cachedTokens, outputTokens > 0 ? outputTokens : Number.NaN);
    lease.timed(decodeMs, loadMs);
  }

  /** The request is over. */
  end(): void {
    this.answer.abandon();
    this.#first.release();
    if (this.#scan === null) return;
    returnScan(this.#scan);
    this.#scan = null;
  }
}

/** Of no weight: whoever reads the model alone does not ask for sizes. */
const BYTES_PER_TOKEN = 4;

/** Whose errors a client of that API understands. */
function dialectOf({ family, name }: LlmApi): ErrorDialect {
  if (name === "openai_responses") return "responses";
  return family === "anthropic" || family === "ollama" || family === "tgi" ? family : "openai";
}
