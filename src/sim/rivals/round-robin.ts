/**
 * What: each engine in turn.
 * Formula: engines[n mod count], n counts the requests.
 * Source: vllm-project/production-stack src/vllm_router/routers/routing_logic.py (RoundRobinRouter), which
 * sorts the engines first, as ours are.
 * Left out: nothing.
 */
import type { FleetView, Router, RouterSpec, SimRequest } from "../router.ts";

class RoundRobin implements Router {
  readonly name = "round_robin";
  #turn = 0;

  route(_request: SimRequest, view: FleetView): number {
    if (view.engines.length === 0) return -1;
    return view.engines[this.#turn++ % view.engines.length]!;
  }
}

export const roundRobin: RouterSpec = {
  name: "round_robin",
  summary: "each engine in turn",
  create: () => new RoundRobin(),
};
