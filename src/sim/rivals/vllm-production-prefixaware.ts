/**
 * What: `prefixaware` of vLLM's production stack.
 * Formula: walk the prompt's chunks for as long as one of the engines that are left was sent the chunk, and
 * keep those; one of them by the dice. Load does not count, nothing is forgotten.
 * Source: vllm-project/production-stack src/vllm_router/routers/routing_logic.py (PrefixAwareRouter),
 * src/vllm_router/prefix/hashtrie.py at 35e4ad3.
 * Left out: chunks of 128 characters: blocks of the trace are its chunks. Equal ids of blocks mean an equal
 * prefix, so a table does for the trie.
 */
import { Random } from "../../core/kit/random.ts";
import type { FleetView, Router, RouterSpec, SimRequest } from "../router.ts";

class VllmProductionPrefixaware implements Router {
  readonly name = "vllm_production_prefixaware";
  readonly #holders = new Map<number, number[]>();
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView): number {
    if (view.engines.length === 0) return -1;
    let left = view.engines;
    for (const block of request.blocks) {
      const holders = this.#holders.get(block);
      if (holders === undefined) break;
      const both = left.filter((engine) => holders.includes(engine));
      if (both.length === 0) break;
      left = both;
    }
    const engine = left[this.#random.below(left.length)]!;
    for (const block of request.blocks) this.#learn(block, engine);
    return engine;
  }

  #learn(block: number, engine: number): void {
    const holders = this.#holders.get(block);
    if (holders === undefined) this.#holders.set(block, [engine]);
    else if (!holders.includes(engine)) holders.push(engine);
  }
}

export const vllmProductionPrefixaware: RouterSpec = {
  name: "vllm_production_prefixaware",
  summary: "longest known prefix, load ignored, nothing forgotten; equal ones by the dice",
  create: (_engines, seed) => new VllmProductionPrefixaware(seed),
};
