import type { AnswerFacts, EngineReport, FleetView, SimRequest } from "../../../src/sim/router.ts";

/** A fleet in which nothing happens: what a router sees is what the test says. */
export class StillFleet implements FleetView {
  engines: readonly number[];
  kvTokensEach = 412_000;
  readonly #reports = new Map<number, Partial<EngineReport>>();
  readonly #cached = new Map<number, number>();
  /** Intervals that were asked for. */
  readonly polls: Set<number> = new Set<number>();

  constructor(engines: number) {
    this.engines = Array.from({ length: engines }, (_, engine) => engine);
  }

  report(engine: number, report: Partial<EngineReport>): void {
    this.#reports.set(engine, report);
  }

  /** Whatever the prompt. */
  cache(engine: number, tokens: number): void {
    this.#cached.set(engine, tokens);
  }

  polled(engine: number, everyS: number): EngineReport {
    this.polls.add(everyS);
    const nothing = { waiting: 0, running: 0, kvUsage: 0, waitingTokens: 0, contextTokens: 0, finished: 0 };
    return { ...nothing, ...this.#reports.get(engine) };
  }

  cachedTokens(engine: number, request: SimRequest): number {
    return Math.min(request.inputTokens, this.#cached.get(engine) ?? 0);
  }

  kvTokens(): number {
    return this.kvTokensEach;
  }
}

let requests = 0;

/** A prompt of these blocks, full ones unless the tokens say otherwise. */
export function ask(blocks: readonly number[], more: Partial<SimRequest> = {}): SimRequest {
  const blockTokens = more.blockTokens ?? 512;
  return {
    id: requests++,
    atS: 0,
    inputTokens: blocks.length * blockTokens,
    outputTokens: 100,
    outputTokensMax: 0,
    blocks,
    blockTokens,
    session: -1,
    ...more,
  };
}

/** Blocks `first`, `first + 1`, ... */
export function blocksFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** How an answer of that engine went. */
export function answer(engine: number): AnswerFacts {
  return { engine, ttftS: 0.1, cachedTokens: 0, outputTokens: 100, decodeS: 1 };
}
