import type { SimRequest } from "./router.ts";

/** How a request ended. */
export type Ending =
  | "answered"
  /** The router did not take it, or no engine could ever hold it. */
  | "refused"
  /** Its engine died in the middle of the answer, too many died, or it was never answered. */
  | "lost";

/** A request on its way through the fleet: what the engine has done for it, and when. */
export class Flight {
  readonly request: SimRequest;
  /** The engine that has it, or had it last; -1 is none. */
  engine = -1;
  /** Engines that died with it. */
  readonly tried: number[] = [];
  ending: Ending | null = null;
  /** When the first and the last token were written; -1 is never. */
  firstS = -1;
  endS = -1;
  /** When it came to its engine. */
  sentS = -1;
  /** Prompt tokens that were in the cache when it was admitted first. */
  cachedTokens = 0;

  // For the engine that has it.
  /** Which admission it was: the last one is preempted first. */
  admission = 0;
  /** Blocks of the prompt that it holds in the cache. */
  blocksHeld = 0;
  /** Tokens in the KV cache, or reserved there, that are not in blocks it holds. */
  ownTokens = 0;
  /** Computed tokens of its context, while in prefill. */
  context = 0;
  /** Tokens that its prefill still has to compute. */
  prefillLeft = 0;
  /** Tokens of the next chunk. */
  chunk = 0;
  /** Tokens of the answer that a preemption will find: as of its admission to decode. */
  generated = 0;
  /** The engine's count of decode steps when it was admitted to decode. */
  decodeFrom = 0;
  /** The engine's count of decode steps after which it ends. */
  decodeUntil = 0;
  /** What the engine's queue counts for it. */
  queuedTokens = 0;

  constructor(request: SimRequest) {
    this.request = request;
  }

  /** An engine died: what it had done is gone. What was said of time and cache begins anew. */
  restart(): void {
    this.engine = -1;
    this.cachedTokens = 0;
    this.admission = 0;
    this.blocksHeld = 0;
    this.ownTokens = 0;
    this.prefillLeft = 0;
    this.context = 0;
    this.generated = 0;
  }
}

/** In decode: the order in which they end. */
export function endsBefore(a: Flight, b: Flight): boolean {
  if (a.decodeUntil !== b.decodeUntil) return a.decodeUntil < b.decodeUntil;
  return a.admission < b.admission;
}
