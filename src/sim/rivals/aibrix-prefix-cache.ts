/**
 * What: AIBrix's `prefix-cache`, as released.
 * Formula: when the most in flight is more than 8 above the fewest, only engines with the fewest are
 * candidates. Among candidates that hold a prefix of the prompt and have at most mean + 1 sigma (of a sample)
 * in flight: the highest whole per cent of match, then the fewest in flight, then the dice. Else the fewest
 * in flight, equal ones by the dice. One store of block hashes for all engines: 200,000 blocks of 128
 * characters (taken as 4 a token), least recently sent out first, 20 minutes.
 * Source: vllm-project/aibrix pkg/plugins/gateway/algorithms/prefix_cache.go at 01de8a5 (the choice; the gate
 * is that of v0.7.0, podRunningRequestImbalanceAbsCount), pkg/utils/prefixcacheindexer/hash.go at 0871c21,
 * pkg/utils/lrustore/lru_store.go at 0a50a16.
 * Left out: KV events and Redis (off by default), tokenizers. The code's own default of 4 characters a block
 * would remember 200k tokens for the whole fleet; its documentation's 128 is used, which is kinder. The gate
 * of later code is max > 2 x (mean of the others + 1) and max - min >= 8 (load_balance.go at 8c6b57b); in a
 * trial on the conversation trace the two were within a point of goodput of each other.
 */
import { LruTable } from "../../core/kit/lru-table.ts";
import { Random } from "../../core/kit/random.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { leastAtRandom } from "./choose.ts";
import { InFlight } from "./in-flight.ts";

const IMBALANCE_GAP = 8;
const STANDARD_DEVIATIONS = 1;
const STORE_TOKENS = 200_000 * (128 / 4);
const STORE_TTL_S = 20 * 60;

/** Who was sent which blocks. */
class BlockStore {
  readonly #lru: LruTable;
  readonly #holders: (Set<number> | undefined)[] = [];
  readonly #sentAtS: Float64Array;

  constructor(blocksMax: number) {
    this.#lru = new LruTable(blocksMax);
    this.#sentAtS = new Float64Array(blocksMax + 1);
  }

  /** Per cent of the prompt's blocks, by engine of `among` that holds at least one. */
  match(request: SimRequest, among: readonly number[], nowS: number): Map<number, number> {
    const percents = new Map<number, number>();
    const count = request.blocks.length;
    let left = among;
    for (let i = 0; i < count && left.length > 0; i++) {
      const holders = this.#holdersOf(request.blocks[i]!, nowS);
      if (holders === undefined) break;
      left = left.every((engine) => holders.has(engine))
        ? left
        : left.filter((engine) => holders.has(engine));
      for (const engine of left) percents.set(engine, Math.floor(((i + 1) * 100) / count));
    }
    return percents;
  }

  add(request: SimRequest, engine: number, nowS: number): void {
    for (const block of request.blocks) {
      let place = this.#lru.find(block);
      if (place !== 0 && !this.#isAlive(place, nowS)) {
        this.#lru.remove(place);
        place = 0;
      }
      if (place === 0) {
        if (this.#lru.count === this.#lru.entriesMax) this.#lru.remove(this.#lru.oldest);
        place = this.#lru.add(block);
        this.#holders[place] = new Set();
      } else this.#lru.touch(place);
      this.#holders[place]!.add(engine);
      this.#sentAtS[place] = nowS;
    }
  }

  #holdersOf(block: number, nowS: number): ReadonlySet<number> | undefined {
    const place = this.#lru.find(block);
    return place === 0 || !this.#isAlive(place, nowS) ? undefined : this.#holders[place];
  }

  #isAlive(place: number, nowS: number): boolean {
    return nowS - this.#sentAtS[place]! <= STORE_TTL_S;
  }
}

class AibrixPrefixCache implements Router {
  readonly name = "aibrix_prefix_cache";
  readonly #inFlight = new InFlight();
  readonly #random: Random;
  #store: BlockStore | undefined;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    if (view.engines.length === 0) return -1;
    this.#store ??= new BlockStore(Math.max(1, Math.floor(STORE_TOKENS / request.blockTokens)));
    const candidates = this.#candidates(view.engines);
    let engine = this.#bestMatch(candidates, this.#store.match(request, candidates, nowS));
    if (engine < 0) engine = leastAtRandom(candidates, (engine) => this.#inFlight.at(engine), this.#random);
    this.#store.add(request, engine, nowS);
    this.#inFlight.started(engine);
    return engine;
  }

  finished(_request: SimRequest, facts: AnswerFacts): void {
    this.#inFlight.ended(facts.engine);
  }

  failed(_request: SimRequest, engine: number): void {
    this.#inFlight.ended(engine);
  }

  #candidates(engines: readonly number[]): readonly number[] {
    let min = Infinity;
    let max = 0;
    for (const engine of engines) {
      min = Math.min(min, this.#inFlight.at(engine));
      max = Math.max(max, this.#inFlight.at(engine));
    }
    if (max - min <= IMBALANCE_GAP) return engines;
    return engines.filter((engine) => this.#inFlight.at(engine) === min);
  }

  #bestMatch(engines: readonly number[], percents: ReadonlyMap<number, number>): number {
    if (percents.size === 0) return -1;
    const limit = this.#mean(engines) + STANDARD_DEVIATIONS * this.#standardDeviation(engines);
    const within = [...percents.keys()].filter((engine) => this.#inFlight.at(engine) <= limit);
    const highest = Math.max(...within.map((engine) => percents.get(engine)!));
    const best = within.filter((engine) => percents.get(engine) === highest);
    return leastAtRandom(best, (engine) => this.#inFlight.at(engine), this.#random);
  }

  #mean(engines: readonly number[]): number {
    let sum = 0;
    for (const engine of engines) sum += this.#inFlight.at(engine);
    return sum / engines.length;
  }

  #standardDeviation(engines: readonly number[]): number {
    if (engines.length <= 1) return 0;
    const mean = this.#mean(engines);
    let squares = 0;
    for (const engine of engines) squares += (this.#inFlight.at(engine) - mean) ** 2;
    return Math.sqrt(squares / (engines.length - 1));
  }
}

export const aibrixPrefixCache: RouterSpec = {
  name: "aibrix_prefix_cache",
  summary: "best known prefix with in flight <= mean + 1 sigma, else fewest; the fewest only when imbalanced",
  create: (_engines, seed) => new AibrixPrefixCache(seed),
};
