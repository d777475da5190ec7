/**
 * What: NVIDIA Dynamo's router in `kv` mode.
 * Formula: argmin (active prefill tokens + prompt - cached) / block + blocks of active requests, each prompt
 * block once, + blocks of this prompt that are not among them; equal ones by the dice (temperature 0).
 * Prefill is active from the choice to the first token, blocks to the end of the answer. Cached tokens from
 * KV events.
 * Source: ai-dynamo/dynamo lib/kv-router/src/scheduling/selector/default.rs and mod.rs at 07a6c9c
 * (worker_logit, row, minimum_cost_index), lib/kv-router/src/sequences/single.rs at 04df1c4,
 * prompt_registry.rs at 312d342 (project_worker_loads), defaults in scheduling/config.rs at 0243c51: credit
 * 1, scale 1, decay 0, output blocks not tracked, active requests of weight 0.
 * Left out: host, disk and shared tiers. The cost is the same for any size of block, so those of the trace
 * are used, the last one by its share. The queue in the router (off by default in other versions; at that one
 * it holds requests when every engine has 16 x max_num_batched_tokens of prefill ahead): deep in overload it
 * might choose later and better. The staged count of decode blocks of prompt_registry.rs, which leaves out
 * prompts in prefill: a newer form than the one cited here, and the weaker in a trial (goodput 0.77 against
 * 0.85).
 */
import { Random } from "../../core/kit/random.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { leastAtRandom } from "./choose.ts";
import { PendingPrefill } from "./pending-prefill.ts";

/** Blocks of the requests that are active on one engine, each counted once. */
class ActiveBlocks {
  readonly #uses = new Map<number, number>();
  #sum = 0;

  get sum(): number {
    return this.#sum;
  }

  /** Blocks of the prompt behind the first one that is not active here, in blocks. */
  additional(request: SimRequest): number {
    const blocks = request.blocks;
    let depth = 0;
    while (depth < blocks.length && this.#uses.has(blocks[depth]!)) depth++;
    return depth === blocks.length ? 0 : request.inputTokens / request.blockTokens - depth;
  }

  add(request: SimRequest): void {
    for (let i = 0; i < request.blocks.length; i++) {
      const block = request.blocks[i]!;
      const uses = this.#uses.get(block) ?? 0;
      if (uses === 0) this.#sum += shareOf(request, i);
      this.#uses.set(block, uses + 1);
    }
  }

  remove(request: SimRequest): void {
    for (let i = 0; i < request.blocks.length; i++) {
      const block = request.blocks[i]!;
      const uses = this.#uses.get(block) ?? 0;
      if (uses > 1) this.#uses.set(block, uses - 1);
      else if (this.#uses.delete(block)) this.#sum -= shareOf(request, i);
    }
    if (this.#uses.size === 0) this.#sum = 0;
  }
}

/** 1, or less for the last block. */
function shareOf(request: SimRequest, block: number): number {
  return Math.min(1, request.inputTokens / request.blockTokens - block);
}

class DynamoKv implements Router {
  readonly name = "dynamo_kv";
  readonly #pending = new PendingPrefill();
  readonly #active: ActiveBlocks[] = [];
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    const engine = leastAtRandom(view.engines, (engine) => this.#cost(engine, request, view), this.#random);
    if (engine < 0) return -1;
    this.#pending.book(request.id, engine, uncached(engine, request, view), nowS);
    this.#activeOn(engine).add(request);
    return engine;
  }

  firstToken(request: SimRequest): void {
    this.#pending.release(request.id);
  }

  finished(request: SimRequest, facts: AnswerFacts): void {
    this.#end(request, facts.engine);
  }

  failed(request: SimRequest, engine: number): void {
    this.#end(request, engine);
  }

  #cost(engine: number, request: SimRequest, view: FleetView): number {
    const prefill = (this.#pending.at(engine) + uncached(engine, request, view)) / request.blockTokens;
    const active = this.#activeOn(engine);
    return prefill + active.sum + active.additional(request);
  }

  #end(request: SimRequest, engine: number): void {
    this.#pending.release(request.id);
    this.#activeOn(engine).remove(request);
  }

  #activeOn(engine: number): ActiveBlocks {
    return (this.#active[engine] ??= new ActiveBlocks());
  }
}

function uncached(engine: number, request: SimRequest, view: FleetView): number {
  return Math.max(0, request.inputTokens - view.cachedTokens(engine, request));
}

export const dynamoKv: RouterSpec = {
  name: "dynamo_kv",
  summary: "argmin active and own uncached prefill blocks + blocks of active requests and this one",
  create: (_engines, seed) => new DynamoKv(seed),
};
