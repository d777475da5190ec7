/**
 * What: LPWL, "least prefill work left" (`--policy leastwork`): only prefill counts.
 * Formula: argmin pending prefill tokens + max(0, prompt - cached); then the fewest requests in flight; then
 * in turn.
 * Source: gahow/agentic-kvc (gitea.gahow.org) scripts/cache_aware_proxy.py at d904632
 * (pick_instance_leastwork).
 * Left out: its own estimate of the engines' caches: here it has the exact one, which is kinder.
 */
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { InFlight } from "./in-flight.ts";
import { PendingPrefill } from "./pending-prefill.ts";

class Lpwl implements Router {
  readonly name = "lpwl";
  readonly #inFlight = new InFlight();
  readonly #pending = new PendingPrefill();
  #turn = 0;

  route(request: SimRequest, view: FleetView, nowS: number): number {
    const count = view.engines.length;
    const start = this.#turn++;
    let best = -1;
    let leastTokens = Infinity;
    let fewest = Infinity;
    let own = 0;
    for (let i = 0; i < count; i++) {
      const engine = view.engines[(start + i) % count]!;
      const tokens = Math.max(0, request.inputTokens - view.cachedTokens(engine, request));
      const work = this.#pending.at(engine) + tokens;
      const inFlight = this.#inFlight.at(engine);
      if (work > leastTokens || (work === leastTokens && inFlight >= fewest)) continue;
      best = engine;
      leastTokens = work;
      fewest = inFlight;
      own = tokens;
    }
    if (best < 0) return -1;
    this.#pending.book(request.id, best, own, nowS);
    this.#inFlight.started(best);
    return best;
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

  #end(request: SimRequest, engine: number): void {
    this.#pending.release(request.id);
    this.#inFlight.ended(engine);
  }
}

export const lpwl: RouterSpec = {
  name: "lpwl",
  summary: "argmin pending + own uncached prefill tokens, then the fewest in flight",
  create: () => new Lpwl(),
};
