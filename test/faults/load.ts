import http from "node:http";
import type { Random } from "../../src/core/kit/random.ts";
import { until } from "../fixtures/until.ts";
import type { Entry, Kind, Ledger } from "./ledger.ts";

/** What is sent, and how much of it. */
export interface LoadOptions {
  readonly port: number;
  readonly perSecond: number;
  /** Weights of the kinds; {@link MIX} if absent. */
  readonly mix?: Partial<Readonly<Record<Kind, number>>>;
  /** How long a backend works on a request. */
  readonly workMs?: number;
  readonly events?: number;
  readonly eventGapMs?: number;
  /** Further fields of a request. */
  readonly headers?: (entry: Entry) => http.OutgoingHttpHeaders;
  /** Share of streams whose client leaves in the middle. */
  readonly leavers?: number;
  /** A new connection for each request, closed after it. */
  readonly isFresh?: boolean;
  /** What the client does with an end that is not ok. */
  readonly onEnd?: (entry: Entry, response: http.IncomingMessage | null) => void;
}

/** Fault matrix 5.2 without its WebSockets; `chat` is a generation, a POST that may be sent twice. */
export const MIX: Readonly<Record<Kind, number>> = { get: 45, put: 15, post: 25, chat: 5, sse: 10 };

/**
 * The workload W: requests that come at their own pace, whether or not earlier ones were answered, each with
 * an id that the ledger knows. The client is node:http: a reader of HTTP that shares no line with Evener.
 */
export class Load {
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #options: LoadOptions;
  readonly #agent: http.Agent;
  readonly #kinds: readonly (readonly [Kind, number])[];
  readonly #mixTotal: number;
  readonly #open: Set<http.ClientRequest> = new Set();
  #timer: NodeJS.Timeout | null = null;
  #dueAtMs = 0;
  perSecond: number;
  sent = 0;

  constructor(ledger: Ledger, random: Random, options: LoadOptions) {
    this.#ledger = ledger;
    this.#random = random;
    this.#options = options;
    const keepAlive = options.isFresh !== true;
    this.#agent = new http.Agent({ keepAlive, maxSockets: Infinity, timeout: 30_000 });
    this.perSecond = options.perSecond;
    this.#kinds = Object.entries(options.mix ?? MIX) as [Kind, number][];
    this.#mixTotal = this.#kinds.reduce((sum, [, weight]) => sum + weight, 0);
  }

  /** Requests without an end so far. */
  get running(): number {
    return this.#open.size;
  }

  start(): void {
    this.#dueAtMs = performance.now();
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  /** No further requests. */
  pause(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** No further requests; waits until all have ended (with a bound: what hangs is left to the ledger). */
  async stop(): Promise<void> {
    this.pause();
    await until(
      () => this.#open.size === 0,
      () => `${this.#open.size} requests to end`,
    ).catch(() => {});
  }

  /** Closes every connection, with whatever runs on it. */
  close(): void {
    this.pause();
    for (const sent of this.#open) sent.destroy();
    this.#agent.destroy();
  }

  /** One request now, whatever the pace. */
  send(kind: Kind): Entry {
    const entry = this.#ledger.open(kind);
    this.sent++;
    const { method, path, body } = this.#form(kind);
    const headers = { "x-test-id": entry.id, ...this.#options.headers?.(entry) };
    const { port } = this.#options;
    const sent = http.request({ host: "127.0.0.1", port, method, path, headers, agent: this.#agent });
    this.#open.add(sent);
    sent.on("socket", (socket) => {
      entry.clientPort = socket.localPort ?? 0;
      if (socket.connecting) socket.once("connect", () => (entry.clientPort = socket.localPort ?? 0));
    });
    sent.on("response", (response) => this.#receive(entry, sent, response, body.length));
    sent.on("error", (error: NodeJS.ErrnoException) => {
      this.#end(entry, sent, null, () => this.#ledger.close(entry, "failed", error.code ?? error.message));
    });
    sent.end(body);
    return entry;
  }

  #sendDue(): void {
    const nowMs = performance.now();
    // A stall of this process is not made up for by a burst.
    if (nowMs - this.#dueAtMs > STALL_MS) this.#dueAtMs = nowMs;
    while (this.#dueAtMs <= nowMs) {
      this.#dueAtMs += this.#random.exponential(1000 / this.perSecond);
      this.send(this.#kind());
    }
  }

  #kind(): Kind {
    let at = this.#random.float() * this.#mixTotal;
    for (const [kind, weight] of this.#kinds) {
      at -= weight;
      if (at < 0) return kind;
    }
    return this.#kinds[0]![0];
  }

  #form(kind: Kind): { method: string; path: string; body: Buffer } {
    const { workMs = 20, events = 50, eventGapMs = 10 } = this.#options;
    const work = `ms=${workMs}`;
    const body = BODY.subarray(0, 1 + this.#random.below(BODY.length));
    switch (kind) {
      case "get":
        return { method: "GET", path: `/work?${work}`, body: NOTHING };
      case "put":
        return { method: "PUT", path: `/work?${work}`, body };
      case "post":
        return { method: "POST", path: `/work?${work}`, body };
      case "chat":
        return { method: "POST", path: `/v1/chat/completions?${work}`, body };
      case "sse":
        return { method: "GET", path: `/events?n=${events}&gap=${eventGapMs}`, body: NOTHING };
    }
  }

  #receive(entry: Entry, sent: http.ClientRequest, response: http.IncomingMessage, bodyBytes: number): void {
    const { headers } = response;
    entry.status = response.statusCode!;
    entry.backend = String(headers["x-evener-backend"] ?? "");
    entry.attempts = Number(headers["x-evener-attempts"] ?? 0);
    entry.retryAfterS = Number(headers["retry-after"] ?? 0);
    entry.code = /EVENER_[A-Z_]+/.exec(String(headers["proxy-status"] ?? ""))?.[0] ?? "";
    const leavesAt = this.#leavesAt(entry);
    let text = "";
    response.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      if (text.length < leavesAt) return;
      this.#ledger.close(entry, "left");
      sent.destroy();
    });
    response.on("error", () => {});
    response.on("close", () => {
      this.#end(entry, sent, response, () => {
        if (!response.complete) this.#ledger.close(entry, "broken");
        else if (entry.status !== 200) this.#ledger.close(entry, "answered");
        else if (this.#isRight(entry, text, bodyBytes)) this.#ledger.close(entry, "ok");
        else this.#ledger.close(entry, "wrong", JSON.stringify(text.slice(-60)));
      });
    });
  }

  /** The length of the answer at which its client leaves. */
  #leavesAt(entry: Entry): number {
    const { leavers = 0 } = this.#options;
    const leaves = entry.kind === "sse" && leavers > 0 && this.#random.float() < leavers;
    return leaves ? 1 + this.#random.below(300) : Infinity;
  }

  #isRight(entry: Entry, text: string, bodyBytes: number): boolean {
    if (entry.kind !== "sse") return text === `ok ${entry.id} ${bodyBytes}`;
    const { events = 50 } = this.#options;
    return text.endsWith("data: [DONE]\n\n") && text.split("\n\n").length === events + 2;
  }

  #end(
    entry: Entry,
    sent: http.ClientRequest,
    response: http.IncomingMessage | null,
    close: () => void,
  ): void {
    if (!this.#open.delete(sent)) return;
    close();
    this.#options.onEnd?.(entry, response);
  }
}

const TICK_MS = 5;
const STALL_MS = 500;
const NOTHING: Buffer = Buffer.alloc(0);
const BODY: Buffer = Buffer.alloc(2048, "b");
