import type { IncomingMessage, ServerResponse } from "node:http";
import type { Random } from "../core/kit/random.ts";
import { BatchingEngine, type EngineOptions, type Sequence } from "./engine.ts";
import { EngineLoop } from "./engine-loop.ts";
import { OpenAiAnswer } from "./openai-answer.ts";
import {
  type CompletionKind,
  type CompletionRequest,
  formatRefusal,
  parseCompletionRequest,
  type Refusal,
} from "./openai-request.ts";
import { VllmMetrics } from "./vllm-metrics.ts";

/**
 * The routes of a demo model server over one engine: the generation API of OpenAI, and what vLLM adds to it.
 */
export class ModelApi {
  readonly #options: ModelApiOptions;
  readonly #random: Random;
  readonly #engine: BatchingEngine;
  readonly #loop: EngineLoop;
  readonly #metrics: VllmMetrics = new VllmMetrics();
  /** At most `sequencesMax` + `waitingMax`. */
  readonly #answers: Map<Sequence, OpenAnswer> = new Map();
  #requests = 0;
  #failuresMade = 0;

  constructor(options: ModelApiOptions, dice: Random) {
    this.#options = options;
    this.#random = dice.split(0);
    this.#engine = new BatchingEngine(options.engine, dice.split(1));
    this.#loop = new EngineLoop(this.#engine, (sequence) => this.#onToken(sequence));
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("x-demo-server", this.#options.name);
    const path = (request.url ?? "/").split("?", 1)[0]!;
    const methods = METHODS.get(path);
    if (methods === undefined) return refuse(response, unknownPath(path));
    if (!methods.includes(request.method ?? "")) {
      response.setHeader("allow", methods.join(", "));
      return refuse(response, wrongMethod(request.method, path));
    }
    if (path === "/v1/chat/completions") return this.#read("chat", request, response);
    if (path === "/v1/completions") return this.#read("text", request, response);
    if (path === "/v1/models") return sendJson(response, 200, JSON.stringify(this.#models()));
    if (path === "/version") return sendJson(response, 200, JSON.stringify({ version: "0.0.0-evener-demo" }));
    if (path === "/metrics") {
      const text = this.#metrics.format(this.#engine, this.#options.model);
      return send(response, 200, "text/plain; version=0.0.4; charset=utf-8", text);
    }
    send(response, 200, undefined, "");
  }

  /** For good: streams under way get no further token. */
  stop(): void {
    this.#loop.stop();
  }

  stats(): ModelServerStats {
    const { stop, length, abort } = this.#metrics.finished;
    return {
      running: this.#engine.running,
      waiting: this.#engine.waiting,
      kvUsage: this.#engine.kvUsage,
      requests: this.#requests,
      completed: stop + length,
      aborted: abort,
      failuresMade: this.#failuresMade,
      promptTokens: this.#metrics.promptTokens,
      generationTokens: this.#metrics.generationTokens,
    };
  }

  #read(kind: CompletionKind, request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
      // Most clients read an answer only after they have sent everything; who sends without end is cut off.
      else if (bytes > DISCARDED_BYTES_MAX) request.destroy();
      else chunks.length = 0;
    });
    request.once("end", () => {
      if (bytes > BODY_BYTES_MAX) refuse(response, bodyTooLarge());
      else this.#complete(kind, Buffer.concat(chunks).toString(), response);
    });
  }

  #complete(kind: CompletionKind, body: string, response: ServerResponse): void {
    this.#requests++;
    const { model, engine } = this.#options;
    const parsed = parseCompletionRequest(kind, body, model, engine.contextTokensMax);
    if ("refusal" in parsed) return refuse(response, parsed.refusal);
    const failure = this.#drawFailure();
    if (failure !== "none") this.#failuresMade++;
    if (failure === "error") {
      this.#metrics.finished.error++;
      return refuse(response, madeError());
    }
    if (failure === "reset") {
      this.#metrics.finished.error++;
      response.destroy();
      return;
    }
    const sequence = this.#engine.submit(parsed.promptTokens, parsed.outputTokens);
    if (sequence === undefined) {
      response.setHeader("retry-after", "1");
      return refuse(response, overloaded());
    }
    const breaksAfter =
      failure === "break" ? 1 + this.#random.below(parsed.outputTokens) : Number.POSITIVE_INFINITY;
    this.#answers.set(sequence, {
      request: parsed,
      response,
      text: new OpenAiAnswer(parsed, this.#envelope(kind)),
      arrivedAtMs: performance.now(),
      breaksAfter,
    });
    response.once("close", () => this.#release(sequence));
    this.#loop.wake();
  }

  #onToken(sequence: Sequence): void {
    const answer = this.#answers.get(sequence);
    if (answer === undefined) return;
    const { request, response, text } = answer;
    if (sequence.generated === 1) {
      this.#metrics.promptTokens += sequence.promptTokens;
      this.#metrics.firstToken((performance.now() - answer.arrivedAtMs) / 1000);
      // The head goes with the first token, so that the first byte tells what a client waits for.
      if (request.isStream) response.writeHead(200, STREAM_HEADERS);
    }
    this.#metrics.generationTokens++;
    if (sequence.generated > answer.breaksAfter) {
      this.#answers.delete(sequence);
      this.#engine.cancel(sequence);
      this.#metrics.finished.error++;
      response.destroy();
      return;
    }
    // A client that reads slowly makes this buffer grow; `max_tokens` bounds it to half a megabyte.
    const isLast = sequence.state === "finished";
    if (request.isStream) response.write(text.tokenEvent(sequence.generated - 1));
    if (!isLast) return;
    this.#answers.delete(sequence);
    this.#metrics.finished[request.finishReason]++;
    if (request.isStream) response.end(text.endEvents());
    else sendJson(response, 200, text.body());
  }

  /** A client that is gone frees its place at once. */
  #release(sequence: Sequence): void {
    if (!this.#answers.delete(sequence)) return;
    this.#engine.cancel(sequence);
    this.#metrics.finished.abort++;
  }

  #drawFailure(): "none" | "error" | "reset" | "break" {
    if (this.#random.float() >= this.#options.failureRate) return "none";
    const kind = this.#random.float();
    if (kind < FAILURE_SHARE_ERROR) return "error";
    return kind < FAILURE_SHARE_ERROR + FAILURE_SHARE_RESET ? "reset" : "break";
  }

  #envelope(kind: CompletionKind): {
    id: string;
    model: string;
    createdSeconds: number;
    fingerprint: string;
  } {
    const id =
      this.#random.uint32().toString(16).padStart(8, "0") +
      this.#random.uint32().toString(16).padStart(8, "0");
    return {
      id: `${kind === "chat" ? "chatcmpl" : "cmpl"}-${id}`,
      model: this.#options.model,
      createdSeconds: Math.floor(Date.now() / 1000),
      fingerprint: `demo-${this.#options.name}`,
    };
  }

  #models(): object {
    const { model, engine } = this.#options;
    const max_model_len = engine.contextTokensMax;
    const data = [
      { id: model, object: "model", created: 0, owned_by: "evener-demo", root: model, max_model_len },
    ];
    return { object: "list", data };
  }
}

/** What a demo server serves, and how well. */
export interface ModelApiOptions {
  readonly name: string;
  readonly model: string;
  /**
   * Share of the requests that fail on purpose, 0..1: most get a 500 or a reset before the answer, a few in
   * mid-answer.
   */
  readonly failureRate: number;
  readonly engine: EngineOptions;
}

/** What a demo server has done since it started. */
export interface ModelServerStats {
  readonly running: number;
  readonly waiting: number;
  /** 0..1 */
  readonly kvUsage: number;
  /** Generation requests read, refused ones included. */
  readonly requests: number;
  readonly completed: number;
  /** Clients that left before the end. */
  readonly aborted: number;
  /** Failures on purpose. */
  readonly failuresMade: number;
  readonly promptTokens: number;
  readonly generationTokens: number;
}

interface OpenAnswer {
  readonly request: CompletionRequest;
  readonly response: ServerResponse;
  readonly text: OpenAiAnswer;
  readonly arrivedAtMs: number;
  /** The socket is destroyed in place of the token after this one. */
  readonly breaksAfter: number;
}

const BODY_BYTES_MAX = 4 * 1024 * 1024;
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;
/** Of the failures on purpose; what is left breaks in mid-answer, which no balancer can hide. */
const FAILURE_SHARE_ERROR = 0.55;
const FAILURE_SHARE_RESET = 0.35;
const STREAM_HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

const GET: readonly string[] = ["GET", "HEAD"];
const POST: readonly string[] = ["POST"];
const METHODS: ReadonlyMap<string, readonly string[]> = new Map([
  ["/health", GET],
  ["/version", GET],
  ["/metrics", GET],
  ["/v1/models", GET],
  ["/v1/chat/completions", POST],
  ["/v1/completions", POST],
]);

function send(response: ServerResponse, status: number, contentType: string | undefined, body: string): void {
  const headers: Record<string, string | number> = { "content-length": Buffer.byteLength(body) };
  if (contentType !== undefined) headers["content-type"] = contentType;
  response.writeHead(status, headers);
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, body: string): void {
  send(response, status, "application/json", body);
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  sendJson(response, refusal.status, formatRefusal(refusal));
}

function refusal(
  status: number,
  message: string,
  type = "invalid_request_error",
  code: string | null = null,
): Refusal {
  return { status, message, type, param: null, code };
}

function unknownPath(path: string): Refusal {
  return refusal(404, `there is nothing at ${path}`, "invalid_request_error", "unknown_url");
}

function wrongMethod(method: string | undefined, path: string): Refusal {
  return refusal(
    405,
    `${path} does not take ${method ?? "this method"}`,
    "invalid_request_error",
    "method_not_allowed",
  );
}

function bodyTooLarge(): Refusal {
  return refusal(413, `the body is larger than ${BODY_BYTES_MAX} bytes`);
}

function madeError(): Refusal {
  return refusal(500, "the demo server fails now and then, on purpose", "server_error");
}

function overloaded(): Refusal {
  return refusal(503, "too many requests wait already; try again later", "server_error", "overloaded");
}
