/**
 * What: llm-d's router (endpoint picker) as it is without a configuration.
 * Formula: argmax 2 x (maxQ - q) / (maxQ - minQ) (all equal: 1) + 2 x (1 - KV usage) + 3 x matched / total
 * blocks of the first 131,072 tokens; equal ones by the dice. Metrics polled every 50 ms. Prefixes from an
 * own LRU of block hashes for each server, written at the choice: one entry for 64 tokens, as many entries as
 * the engine reports KV blocks (of 16 tokens), 31,250 when it reports none. A block counts for each server
 * that has it, until one that nobody has.
 * Source: llm-d/llm-d-router pkg/epp/config/loader/defaults.go at 0b59e4e (weights);
 * pkg/epp/framework/plugins/scheduling/scorer/queuedepth/queue.go at 2342697, .../scorer/prefix/plugin.go at
 * 068b68d, .../picker/maxscore/picker.go at 0fa77a0,
 * .../requestcontrol/dataproducer/approximateprefix/indexer.go at 8998b3a, plugin.go and types.go at 09a534f.
 * Left out: flow control (off by default; nothing here is sheddable), LoRA, prefill/decode. Equal scores are
 * rotated in the newest picker, over a list in the order of a Go map: the dice do the same. The number of
 * waiting requests here counts those in prefill as well, which vLLM calls running: it sees more than it
 * would.
 */
import { LruTable } from "../../core/kit/lru-table.ts";
import { Random } from "../../core/kit/random.ts";
import type { FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { leastAtRandom } from "./choose.ts";

const QUEUE_WEIGHT = 2;
const KV_WEIGHT = 2;
const PREFIX_WEIGHT = 3;
const POLL_S = 0.05;
const MATCHED_TOKENS_MAX = 131_072;
const INDEX_BLOCK_TOKENS = 64;
const ENGINE_BLOCK_TOKENS = 16;
const ENTRIES_DEFAULT = 31_250;
const CLEAN_UP_S = 120;

class LlmDDefault implements Router {
  readonly name = "llm_d_default";
  readonly #index = new Map<number, LruTable>();
  readonly #random: Random;
  readonly #matches: number[] = [];
  #cleanUps = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    if (view.engines.length === 0) return -1;
    this.#cleanUpWhenDue(view, nowS);
    const blocks = Math.min(request.blocks.length, Math.floor(MATCHED_TOKENS_MAX / request.blockTokens));
    this.#match(request, blocks, view.engines);
    let least = Infinity;
    let most = -Infinity;
    for (const engine of view.engines) {
      const waiting = view.polled(engine, POLL_S).waiting;
      least = Math.min(least, waiting);
      most = Math.max(most, waiting);
    }
    const score = (engine: number): number => {
      const report = view.polled(engine, POLL_S);
      const queue = most === least ? 1 : (most - report.waiting) / (most - least);
      const prefix = blocks === 0 ? 0 : this.#matches[engine]! / blocks;
      return QUEUE_WEIGHT * queue + KV_WEIGHT * (1 - report.kvUsage) + PREFIX_WEIGHT * prefix;
    };
    const engine = leastAtRandom(view.engines, (engine) => -score(engine), this.#random);
    this.#add(request, blocks, engine, view);
    return engine;
  }

  /** Fills `#matches` for these engines. */
  #match(request: SimRequest, blocks: number, engines: readonly number[]): void {
    for (const engine of engines) this.#matches[engine] = 0;
    for (let i = 0; i < blocks; i++) {
      let isHeld = false;
      for (const [engine, known] of this.#index) {
        if (known.find(request.blocks[i]!) === 0) continue;
        isHeld = true;
        this.#matches[engine] = (this.#matches[engine] ?? 0) + 1;
      }
      if (!isHeld) return;
    }
  }

  #add(request: SimRequest, blocks: number, engine: number, view: FleetView): void {
    const known = this.#index.get(engine) ?? new LruTable(entriesOf(engine, request, view));
    this.#index.set(engine, known);
    for (let i = 0; i < blocks; i++) {
      const block = request.blocks[i]!;
      const place = known.find(block);
      if (place !== 0) known.touch(place);
      else {
        if (known.count === known.entriesMax) known.remove(known.oldest);
        known.add(block);
      }
    }
  }

  /** Servers that are gone are forgotten. */
  #cleanUpWhenDue(view: FleetView, nowS: number): void {
    const due = Math.floor(nowS / CLEAN_UP_S);
    if (due <= this.#cleanUps) return;
    this.#cleanUps = due;
    for (const engine of this.#index.keys()) {
      if (!view.engines.includes(engine)) this.#index.delete(engine);
    }
  }
}

/** In blocks of the request's size. */
function entriesOf(engine: number, request: SimRequest, view: FleetView): number {
  const reported = Math.floor(view.kvTokens(engine) / ENGINE_BLOCK_TOKENS);
  const entries = reported > 0 ? reported : ENTRIES_DEFAULT;
  return Math.max(1, Math.floor((entries * INDEX_BLOCK_TOKENS) / request.blockTokens));
}

export const llmDDefault: RouterSpec = {
  name: "llm_d_default",
  summary: "argmax 2 x queue (min-max) + 2 x free KV + 3 x known prefix, polls of 50 ms",
  create: (_engines, seed) => new LlmDDefault(seed),
};
