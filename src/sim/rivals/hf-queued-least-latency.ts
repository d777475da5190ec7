/**
 * What: Hugging Face's sample of a custom router for Inference Endpoints, `queued-least-latency`.
 * Formula: argmin EWMA (0.3) of the whole request's time, over backends that may be chosen: an idle one
 * always (never tried counts 0 s), a busy one when it was tried, its EWMA is below 3 s and it has fewer in
 * flight than 5 x its completed requests (counted up to 2 x 1000 / 5). Equal ones by the dice (the order of a
 * Go map). Failures count with the time they took.
 * Source: huggingface/endpoints-custom-routers queued-least-latency/backends.go at 277f13a, defaults in
 * config.go at 2a62afb.
 * Left out: its queue. When no backend may be chosen, the original tries again every 50 ms, for up to 1200 s,
 * in no order, and drops the oldest beyond 1000. A router here answers at once, so the request goes where the
 * fewest are in flight, then to the lowest EWMA: the backend that would probably be idle first. This is
 * kinder to it: with answers of more than 3 s the original sends one request at a time to each engine.
 */
import { Random } from "../../core/kit/random.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { leastAtRandom } from "./choose.ts";

const ALPHA = 0.3;
const THRESHOLD_S = 3;
const RAMP_UP_FACTOR = 5;
const COMPLETED_MAX = (2 * 1000) / RAMP_UP_FACTOR;

interface Backend {
  /** NaN is never tried. */
  ewmaS: number;
  inFlight: number;
  completed: number;
}

class HfQueuedLeastLatency implements Router {
  readonly name = "hf_queued_least_latency";
  readonly #backends: Backend[] = [];
  readonly #sentAtS = new Map<number, number>();
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    const open = view.engines.filter((engine) => isOpen(this.#backend(engine)));
    const engine =
      open.length > 0
        ? leastAtRandom(open, (engine) => latencyS(this.#backend(engine)), this.#random)
        : this.#soonestIdle(view.engines);
    if (engine >= 0) {
      this.#backend(engine).inFlight++;
      this.#sentAtS.set(request.id, nowS);
    }
    return engine;
  }

  finished(request: SimRequest, facts: AnswerFacts, nowS: number): void {
    this.#record(request, facts.engine, nowS);
  }

  failed(request: SimRequest, engine: number, nowS: number): void {
    this.#record(request, engine, nowS);
  }

  #soonestIdle(engines: readonly number[]): number {
    let fewest = Infinity;
    for (const engine of engines) fewest = Math.min(fewest, this.#backend(engine).inFlight);
    const among = engines.filter((engine) => this.#backend(engine).inFlight === fewest);
    return leastAtRandom(among, (engine) => latencyS(this.#backend(engine)), this.#random);
  }

  #record(request: SimRequest, engine: number, nowS: number): void {
    const sentAtS = this.#sentAtS.get(request.id);
    if (sentAtS === undefined) return;
    this.#sentAtS.delete(request.id);
    const backend = this.#backend(engine);
    const tookS = nowS - sentAtS;
    backend.inFlight = Math.max(0, backend.inFlight - 1);
    backend.completed = Math.min(COMPLETED_MAX, backend.completed + 1);
    backend.ewmaS = Number.isNaN(backend.ewmaS) ? tookS : ALPHA * tookS + (1 - ALPHA) * backend.ewmaS;
  }

  #backend(engine: number): Backend {
    return (this.#backends[engine] ??= { ewmaS: NaN, inFlight: 0, completed: 0 });
  }
}

function isOpen(backend: Backend): boolean {
  if (backend.inFlight === 0) return true;
  if (Number.isNaN(backend.ewmaS) || backend.ewmaS >= THRESHOLD_S) return false;
  return backend.inFlight < RAMP_UP_FACTOR * backend.completed;
}

function latencyS(backend: Backend): number {
  return Number.isNaN(backend.ewmaS) ? 0 : backend.ewmaS;
}

export const hfQueuedLeastLatency: RouterSpec = {
  name: "hf_queued_least_latency",
  summary: "argmin of the EWMA of request time, over backends that are idle or below 3 s",
  create: (_engines, seed) => new HfQueuedLeastLatency(seed),
};
