/**
 * What the simulator and a way to route have to say to each other. Ours is an adapter around `core`; the
 * rivals implement it from their published code. Times are seconds of virtual time, sizes are tokens.
 */

/** One request of a workload. A router must not look at what a real one could not know. */
export interface SimRequest {
  /** Its number, from 0; unique in a run. */
  readonly id: number;
  readonly atS: number;
  readonly inputTokens: number;
  /** The true length of the answer: for the engine and for the offline bound, never for a router. */
  readonly outputTokens: number;
  /** What the client allows (`max_tokens`); 0 is nothing said. */
  readonly outputTokensMax: number;
  /** An id for each block of {@link blockTokens} of the prompt (the last may be partial). */
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  /** Requests of one conversation or agent; -1 is none. */
  readonly session: number;
}

/** What an engine's metrics said at the last poll. */
export interface EngineReport {
  /** Queued or in prefill: without a first token. */
  readonly waiting: number;
  /** In decode. */
  readonly running: number;
  /** Share of the KV cache that requests in progress hold, 0..1. */
  readonly kvUsage: number;
  /** Prompt tokens that are queued and not in the cache. */
  readonly waitingTokens: number;
  /** Tokens in the context of all requests in decode. */
  readonly contextTokens: number;
  /** Requests that ended since the start. */
  readonly finished: number;
}

/** What a router can see of the fleet. */
export interface FleetView {
  /** Engines that may be chosen now, by number. They may come and go. */
  readonly engines: readonly number[];
  /** An engine's metrics as polled every `everyS` seconds; all engines are polled at the same moments. */
  polled(engine: number, everyS: number): EngineReport;
  /** Tokens of the prompt that the engine has in its cache: what KV events tell a router that reads them. */
  cachedTokens(engine: number, request: SimRequest): number;
  /** Tokens that an engine's KV cache holds. */
  kvTokens(engine: number): number;
}

/** How an answer went, as the proxy sees it. */
export interface AnswerFacts {
  readonly engine: number;
  readonly ttftS: number;
  /** `usage.prompt_tokens_details.cached_tokens`: only in the last event. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** From the first to the last token. */
  readonly decodeS: number;
}

/** A way to route: chooses an engine for each request, at its arrival. */
export interface Router {
  readonly name: string;
  /** The number of one of `view.engines`; -1 refuses. Is told of the request's end in any case. */
  route(request: SimRequest, view: FleetView, nowS: number): number;
  /** The first token has reached the client. */
  firstToken?(request: SimRequest, engine: number, nowS: number): void;
  finished?(request: SimRequest, facts: AnswerFacts, nowS: number): void;
  /** When {@link look} is to be called; Infinity is never. */
  readonly nextLookS?: number;
  /**
   * Whether a request that waits for its first token is to be called off where it is and routed anew: its
   * number, or -1. The engine that had it is not shown again.
   */
  look?(nowS: number): number;
  /** The engine died with the request; it will be routed again if nothing had been answered. */
  failed?(request: SimRequest, engine: number, nowS: number): void;
}

/** Makes a router for a fleet of that many engines (more may join); `seed` is for its dice. */
export interface RouterSpec {
  readonly name: string;
  /** One line: the formula. */
  readonly summary: string;
  create(engines: number, seed: number): Router;
}
