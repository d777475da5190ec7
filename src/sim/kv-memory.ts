import type { Flight } from "./flight.ts";
import { PrefixCache } from "./prefix-cache.ts";
import type { SimRequest } from "./router.ts";

/**
 * The KV cache of one engine, in tokens: what requests in progress have of their own, the blocks that they
 * hold, and loose blocks that stay until their room is needed.
 */
export class KvMemory {
  readonly capacityTokens: number;
  readonly #cache: PrefixCache = new PrefixCache();
  #ownTokens = 0;

  constructor(capacityTokens: number) {
    this.capacityTokens = capacityTokens;
  }

  /** What requests in progress hold. */
  get heldTokens(): number {
    return this.#ownTokens + this.#cache.heldTokens;
  }

  /** What is in use, cached blocks that nobody holds included. */
  get usedTokens(): number {
    return this.heldTokens + this.#cache.looseTokens;
  }

  /** What could be taken, were all that nobody holds evicted. */
  get roomTokens(): number {
    return this.capacityTokens - this.heldTokens;
  }

  /** Of the prompt; at least its last token is computed again. */
  cachedTokens(request: SimRequest): number {
    return this.#tokensOf(request, this.#cache.matched(request.blocks));
  }

  /**
   * Room for what the request has computed and for the rest of its prompt; false when there is not as much.
   */
  reserve(flight: Flight, spareTokens: number): boolean {
    const { request } = flight;
    const matched = this.#cache.matched(request.blocks);
    const cached = this.#tokensOf(request, matched);
    const own = request.inputTokens + flight.generated - cached;
    // Who is not admitted has used nothing: the order of eviction stays.
    const loose = this.#cache.looseTokensOf(request.blocks, matched);
    if (this.roomTokens - loose - own < spareTokens) return false;
    this.#cache.hold(request.blocks, matched);
    flight.blocksHeld = matched;
    flight.ownTokens = own;
    flight.context = cached;
    flight.prefillLeft = own;
    this.grow(own);
    return true;
  }

  /** The prompt is computed and the next token written: its blocks are there for others, too. */
  enter(flight: Flight): void {
    const { blocks, blockTokens, inputTokens } = flight.request;
    for (let i = flight.blocksHeld; i < blocks.length; i++) {
      this.#cache.enter(blocks[i]!, Math.min(blockTokens, inputTokens - i * blockTokens));
    }
    flight.blocksHeld = blocks.length;
    const own = inputTokens - Math.min(inputTokens, blocks.length * blockTokens) + flight.generated;
    this.#ownTokens += own - flight.ownTokens;
    flight.ownTokens = own;
  }

  /** Requests in progress have so many more; what nobody holds makes room. */
  grow(tokens: number): void {
    this.#ownTokens += tokens;
    this.evict();
  }

  evict(): void {
    this.#cache.shrinkTo(this.capacityTokens - this.#ownTokens);
  }

  /** The request is over, or put back; `ownTokens` is what it has now. */
  release(flight: Flight): void {
    this.#cache.release(flight.request.blocks, flight.blocksHeld);
    this.#ownTokens -= flight.ownTokens;
    flight.blocksHeld = 0;
    flight.ownTokens = 0;
  }

  clear(): void {
    this.#cache.clear();
    this.#ownTokens = 0;
  }

  #tokensOf({ blockTokens, inputTokens }: SimRequest, blocks: number): number {
    return Math.min(blocks * blockTokens, inputTokens - 1);
  }
}
