import { Agent, type ClientRequest, type IncomingMessage, request as sendRequest } from "node:http";
import { Random } from "../core/kit/random.ts";
import { assert } from "../errors.ts";
import { DEMO_MODEL } from "./model-server.ts";
import { promptText } from "./passage.ts";
import { NO_BACKEND, type TallyReport, TrafficTally } from "./traffic-tally.ts";
import { type Ask, DEMO_WORKLOAD, drawAsk, type Spread } from "./workload.ts";

/**
 * Starts steady traffic: arrivals at random (Poisson) that do not wait for answers, as many users do not.
 * Only to this machine: an URL of another one throws.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const traffic = new OpenLoop(options);
  traffic.start();
  return traffic;
}

/** Traffic that flows. */
export interface Traffic {
  /** What happened since the last call, or since the start. */
  sample(): TrafficSample;
  /**
   * What happened since the start; requests that still wait for their first byte count as "at least this
   * long".
   */
  total(): TrafficSample;
  /** Sends nothing more, waits `drainMs` for answers under way, leaves the rest. */
  stop(): Promise<void>;
}

/** A table of one interval. */
export interface TrafficSample extends TallyReport {
  readonly intervalMs: number;
  /** Requests under way now. */
  readonly inFlight: number;
}

/** What to send. */
export interface TrafficOptions {
  /** `http://127.0.0.1:PORT` of the balancer. */
  readonly url: string;
  /** On average; > 0. */
  readonly requestsPerSecond: number;
  readonly seed: number;
  /** True unless said. */
  readonly stream?: boolean;
  readonly promptBytes?: Spread;
  readonly maxTokens?: Spread;
  /** How long `stop` waits for answers under way; 1000 unless said. */
  readonly drainMs?: number;
  /** Stops at once. */
  readonly signal?: AbortSignal;
}

class OpenLoop implements Traffic {
  readonly #options: TrafficOptions;
  readonly #url: URL;
  readonly #random: Random;
  readonly #agent: Agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_MAX });
  readonly #interval: TrafficTally = new TrafficTally();
  readonly #whole: TrafficTally = new TrafficTally();
  readonly #exchanges: Set<Exchange> = new Set();
  readonly #onAbort = (): void => this.#finish();
  readonly #startedAtMs: number = performance.now();
  #intervalAtMs: number = this.#startedAtMs;
  #nextAtMs: number = this.#startedAtMs;
  #timer: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;
  #isStopped = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#url = new URL("/v1/chat/completions", options.url);
    assert(LOOPBACK.includes(this.#url.hostname), "demo traffic goes to this machine only");
    assert(options.requestsPerSecond > 0, "traffic has a rate above 0");
    this.#random = new Random(options.seed);
  }

  start(): void {
    const { signal } = this.#options;
    if (signal?.aborted === true) return this.#finish();
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#arrive();
  }

  sample(): TrafficSample {
    const nowMs = performance.now();
    const intervalMs = nowMs - this.#intervalAtMs;
    const report = this.#interval.report();
    this.#interval.clear();
    this.#intervalAtMs = nowMs;
    return { ...report, intervalMs, inFlight: this.#exchanges.size };
  }

  total(): TrafficSample {
    const intervalMs = performance.now() - this.#startedAtMs;
    const agesMs: number[] = [];
    for (const exchange of this.#exchanges) if (!exchange.hadBegun) agesMs.push(exchange.ageMs());
    const report = this.#whole.report(agesMs);
    return { ...report, intervalMs, inFlight: this.#exchanges.size };
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    if (this.#exchanges.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        this.#timer = setTimeout(resolve, this.#options.drainMs ?? DRAIN_MS_DEFAULT);
      });
    }
    this.#finish();
  }

  /** Sends what is due. Behind schedule (a busy process), it catches up: an open loop does not slow down. */
  #arrive(): void {
    const { requestsPerSecond } = this.#options;
    const nowMs = performance.now();
    for (let sent = 0; sent < ARRIVALS_AT_ONCE_MAX && this.#nextAtMs <= nowMs; sent++) {
      this.#send();
      this.#nextAtMs += this.#random.exponential(1000 / requestsPerSecond);
    }
    this.#timer = setTimeout(() => this.#arrive(), Math.max(1, this.#nextAtMs - nowMs));
  }

  #send(): void {
    const { promptBytes, maxTokens } = { ...DEMO_WORKLOAD, ...this.#options };
    const ask = drawAsk(this.#random, { promptBytes, maxTokens });
    if (this.#exchanges.size >= IN_FLIGHT_MAX) return this.#tell((tally) => tally.dropped());
    const isStream = this.#options.stream ?? true;
    const exchange = new Exchange(this.#url, this.#agent, bodyOf(ask, isStream), isStream, {
      began: (backend, ms) => this.#tell((tally) => tally.began(backend, ms)),
      ended: (backend, ms) => this.#settle(exchange, (tally) => tally.ended(backend, ms)),
      failed: (backend, hadBegun) => this.#settle(exchange, (tally) => tally.failed(backend, hadBegun)),
    });
    this.#exchanges.add(exchange);
    exchange.send();
  }

  #tell(note: (tally: TrafficTally) => void): void {
    note(this.#interval);
    note(this.#whole);
  }

  #settle(exchange: Exchange, note: (tally: TrafficTally) => void): void {
    this.#exchanges.delete(exchange);
    this.#tell(note);
    if (this.#exchanges.size === 0) this.#drained?.();
  }

  #finish(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const exchange of this.#exchanges) {
      if (!exchange.hadBegun) this.#tell((tally) => tally.abandoned(exchange.ageMs()));
      exchange.leave();
    }
    this.#exchanges.clear();
    this.#agent.destroy();
    this.#drained?.();
  }
}

/**
 * What an exchange tells its owner: `began` at most once, then one of the other two exactly once, unless it
 * was left.
 */
interface Listener {
  began(backend: string, firstByteMs: number): void;
  ended(backend: string, totalMs: number): void;
  failed(backend: string, hadBegun: boolean): void;
}

/** One request and its answer. */
class Exchange {
  hadBegun = false;
  readonly #url: URL;
  readonly #agent: Agent;
  readonly #body: string;
  readonly #isStream: boolean;
  readonly #listener: Listener;
  readonly #startedAtMs: number = performance.now();
  #request: ClientRequest | undefined;
  #backend: string = NO_BACKEND;
  #tail = "";
  #isSettled = false;
  #isResent = false;

  constructor(url: URL, agent: Agent, body: string, isStream: boolean, listener: Listener) {
    this.#url = url;
    this.#agent = agent;
    this.#body = body;
    this.#isStream = isStream;
    this.#listener = listener;
  }

  ageMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  send(): void {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(this.#body) };
    const request = sendRequest(this.#url, { agent: this.#agent, method: "POST", headers });
    this.#request = request;
    request.setTimeout(SILENCE_MS_MAX, () => request.destroy(new Error("silent for too long")));
    request.once("response", (response) => this.#read(response));
    request.on("error", () => this.#onError(request));
    request.end(this.#body);
  }

  /** Walks away; nothing is told after it. */
  leave(): void {
    this.#isSettled = true;
    this.#request?.destroy();
  }

  #read(response: IncomingMessage): void {
    const backend = response.headers["x-evener-backend"];
    if (typeof backend === "string") this.#backend = backend;
    const isOk = response.statusCode === 200;
    if (isOk && !this.#isSettled) {
      this.hadBegun = true;
      this.#listener.began(this.#backend, this.ageMs());
    }
    response.setEncoding("latin1");
    response.on("data", (text: string) => {
      this.#tail = (this.#tail + text).slice(-STREAM_END.length);
    });
    response.once("close", () => {
      const isWhole = response.complete && (!this.#isStream || this.#tail === STREAM_END);
      this.#settle(isOk && isWhole);
    });
  }

  #onError(request: ClientRequest): void {
    // A kept-alive connection that closed just as we used it says nothing about the answer: once more, on
    // another.
    const mayResend = request.reusedSocket && !this.hadBegun && !this.#isResent && !this.#isSettled;
    if (!mayResend) return this.#settle(false);
    this.#isResent = true;
    this.send();
  }

  #settle(isOk: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (isOk) this.#listener.ended(this.#backend, this.ageMs());
    else this.#listener.failed(this.#backend, this.hadBegun);
  }
}

/** Above this many requests in flight arrivals are dropped, and counted. */
const IN_FLIGHT_MAX = 512;
const ARRIVALS_AT_ONCE_MAX = 64;
const DRAIN_MS_DEFAULT = 1_000;
const SILENCE_MS_MAX = 60_000;
const STREAM_END = "data: [DONE]\n\n";
const LOOPBACK: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

function bodyOf(ask: Ask, stream: boolean): string {
  const messages = [{ role: "user", content: promptText(ask.promptBytes) }];
  return JSON.stringify({ model: DEMO_MODEL, messages, stream, max_tokens: ask.maxTokens });
}
