/**
 * What: the engine with the fewest requests in flight, as this router counts them.
 * Formula: argmin in flight; equal ones by the dice.
 * Source: vllm-project/aibrix pkg/plugins/gateway/algorithms/least_request.go at 0140735
 * (selectTargetPodWithLeastRequestCountFromCounts).
 * Left out: several gateways that share the counts, ports of data parallel ranks: there is one router and no
 * rank here.
 */
import { Random } from "../../core/kit/random.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { leastAtRandom } from "./choose.ts";
import { InFlight } from "./in-flight.ts";

class LeastRequest implements Router {
  readonly name = "least_request";
  readonly #inFlight = new InFlight();
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(_request: SimRequest, view: FleetView): number {
    const engine = leastAtRandom(view.engines, (engine) => this.#inFlight.at(engine), this.#random);
    if (engine >= 0) this.#inFlight.started(engine);
    return engine;
  }

  finished(_request: SimRequest, facts: AnswerFacts): void {
    this.#inFlight.ended(facts.engine);
  }

  failed(_request: SimRequest, engine: number): void {
    this.#inFlight.ended(engine);
  }
}

export const leastRequest: RouterSpec = {
  name: "least_request",
  summary: "argmin of requests in flight, equal ones by the dice",
  create: (_engines, seed) => new LeastRequest(seed),
};
