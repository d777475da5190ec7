/**
 * What: LiteLLM's `least-busy`: the deployment with the fewest calls in flight.
 * Formula: the first deployment, in the order in which they became known, with a strictly smaller count. When
 * that one is not healthy: any healthy one, by the dice.
 * Source: BerriAI/litellm litellm/router_strategy/least_busy.py at 00e06b8.
 * Left out: that several workers read and write the counts in a cache without a lock, and that entries expire
 * there: one process here, which is kinder to it. So the difference to `least_request` is that equal ones are
 * not drawn: the first gets the most.
 */
import { Random } from "../../core/kit/random.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";

class LitellmLeastBusy implements Router {
  readonly name = "litellm_least_busy";
  /** In the order in which engines became known. */
  readonly #counts = new Map<number, number>();
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(_request: SimRequest, view: FleetView): number {
    if (view.engines.length === 0) return -1;
    for (const engine of view.engines) if (!this.#counts.has(engine)) this.#counts.set(engine, 0);
    let best = -1;
    let least = Infinity;
    for (const [engine, count] of this.#counts) {
      if (count >= least) continue;
      best = engine;
      least = count;
    }
    if (!view.engines.includes(best)) best = view.engines[this.#random.below(view.engines.length)]!;
    this.#add(best, 1);
    return best;
  }

  finished(_request: SimRequest, facts: AnswerFacts): void {
    this.#add(facts.engine, -1);
  }

  failed(_request: SimRequest, engine: number): void {
    this.#add(engine, -1);
  }

  #add(engine: number, change: number): void {
    this.#counts.set(engine, (this.#counts.get(engine) ?? 0) + change);
  }
}

export const litellmLeastBusy: RouterSpec = {
  name: "litellm_least_busy",
  summary: "argmin of calls in flight, the first of equal ones",
  create: (_engines, seed) => new LitellmLeastBusy(seed),
};
