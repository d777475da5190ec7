import type { EngineModel } from "./engine-models.ts";
import { FaultPlan } from "./fault-plan.ts";
import type { Fault } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { type Ending, Flight } from "./flight.ts";
import type { Router } from "./router.ts";
import type { Workload } from "./workloads/workload.ts";

/** One run: a workload on a fleet by one way to route. */
export interface RunSetup {
  readonly model: EngineModel;
  readonly engines: number;
  readonly workload: Workload;
  readonly router: Router;
  readonly faults?: readonly Fault[];
  /** Told now and then; 0..1. */
  readonly onProgress?: (share: number) => void;
}

/** What happened. */
export interface RunResult {
  readonly router: string;
  /** Every request, in the order of arrival. */
  readonly flights: readonly Flight[];
  readonly fleet: Fleet;
  /** When the last one ended. */
  readonly endS: number;
}

/** Runs it. The same setup gives the same result, to the bit. */
export function run(setup: RunSetup): RunResult {
  return new Run(setup).run();
}

/** The event loop: engines, faults, polls and arrivals, in the order of time. */
class Run {
  readonly #router: Router;
  readonly #workload: Workload;
  readonly #fleet: Fleet;
  readonly #plan: FaultPlan;
  readonly #flights: Flight[] = [];
  readonly #onProgress: (share: number) => void;
  #open = 0;
  #nowS = 0;
  #lastArrivalS = 0;

  constructor({ model, engines, workload, router, faults = [], onProgress }: RunSetup) {
    this.#router = router;
    this.#workload = workload;
    this.#plan = new FaultPlan(faults);
    this.#onProgress = onProgress ?? ((): void => {});
    this.#fleet = new Fleet({
      model,
      engines,
      faults,
      sink: {
        firstToken: (flight, atS) => this.#router.firstToken?.(flight.request, flight.engine, atS),
        answered: (flight, atS) => this.#answered(flight, atS),
      },
    });
  }

  run(): RunResult {
    while (this.#open > 0 || this.#workload.nextS < Number.POSITIVE_INFINITY) if (!this.#step()) break;
    const endS = this.#nowS;
    for (const flight of this.#flights) {
      if (flight.ending !== null) continue;
      this.#router.failed?.(flight.request, flight.engine, endS);
      this.#close(flight, "lost");
    }
    return { router: this.#router.name, flights: this.#flights, fleet: this.#fleet, endS };
  }

  /**
   * What comes next; false when nothing will, or nobody waits for it any more. At ties engines come first.
   */
  #step(): boolean {
    const fleet = this.#fleet;
    let engine = fleet.all[0]!;
    for (const other of fleet.all) if (other.nextS < engine.nextS) engine = other;
    const faultS = Math.min(this.#plan.nextS, fleet.noticeS);
    const pollS = fleet.pollS;
    const arrivalS = this.#workload.nextS;
    const lookS = this.#router.nextLookS ?? Number.POSITIVE_INFINITY;
    const nextS = Math.min(engine.nextS, faultS, pollS, arrivalS, lookS);
    if (nextS === Number.POSITIVE_INFINITY) return false;
    if (arrivalS === Number.POSITIVE_INFINITY && nextS > this.#lastArrivalS + PATIENCE_S) return false;
    this.#nowS = Math.max(this.#nowS, nextS);
    if (engine.nextS === nextS) engine.advance();
    else if (faultS === nextS) this.#change();
    else if (pollS === nextS) fleet.poll(this.#nowS);
    else if (arrivalS === nextS) this.#arrive();
    else this.#look();
    return true;
  }

  #arrive(): void {
    const flight = new Flight(this.#workload.take());
    this.#flights.push(flight);
    this.#open++;
    this.#lastArrivalS = this.#nowS;
    if (this.#flights.length % PROGRESS_REQUESTS === 0) {
      this.#onProgress(Math.min(1, this.#flights.length / this.#workload.requests));
    }
    this.#send(flight);
  }

  /** The router looks after a request without a first token: it may be wanted elsewhere. */
  #look(): void {
    const id = this.#router.look!(this.#nowS);
    const flight = id < 0 ? undefined : this.#flights.find(({ request }) => request.id === id);
    if (flight === undefined) return;
    this.#fleet.all[flight.engine]!.cancel(flight);
    flight.tried.push(flight.engine);
    flight.restart();
    this.#send(flight);
  }

  /** Asks the router until an engine takes the request. */
  #send(flight: Flight): void {
    const { request } = flight;
    const nowS = this.#nowS;
    for (;;) {
      if (flight.tried.length === ATTEMPTS_MAX) return this.#close(flight, "lost");
      this.#fleet.show(nowS, flight.tried);
      const { engines } = this.#fleet;
      if (engines.length === 0) return this.#close(flight, flight.tried.length > 0 ? "lost" : "refused");
      // What no engine could ever hold is answered 400 by whoever gets it.
      if (!this.#fleet.all[engines[0]!]!.canHold(request)) return this.#close(flight, "refused");
      const number = this.#router.route(request, this.#fleet, nowS);
      if (number === -1) return this.#close(flight, "refused");
      if (!engines.includes(number)) {
        throw new Error(
          `${this.#router.name} chose engine ${number}, which is not among ${engines.join(", ")}`,
        );
      }
      const engine = this.#fleet.all[number]!;
      if (engine.isUp) return engine.enqueue(flight, nowS);
      this.#router.failed?.(request, number, nowS);
      flight.tried.push(number);
    }
  }

  #change(): void {
    const nowS = this.#nowS;
    if (this.#fleet.noticeS <= nowS) return this.#fleet.notice(nowS);
    const dead = this.#fleet.change(this.#plan.take());
    // First all are told, then all are sent again: the router knows of the death by then.
    for (const { request, engine } of dead) this.#router.failed?.(request, engine, nowS);
    for (const flight of dead) {
      if (flight.firstS >= 0) {
        this.#close(flight, "lost");
        continue;
      }
      flight.tried.push(flight.engine);
      flight.restart();
      this.#send(flight);
    }
  }

  #answered(flight: Flight, atS: number): void {
    const { request, engine, firstS, cachedTokens } = flight;
    const ttftS = firstS - request.atS;
    const { outputTokens } = request;
    this.#router.finished?.(
      request,
      { engine, ttftS, cachedTokens, outputTokens, decodeS: atS - firstS },
      atS,
    );
    this.#close(flight, "answered");
  }

  #close(flight: Flight, ending: Ending): void {
    flight.ending = ending;
    this.#open--;
    this.#workload.ended?.(flight.request, ending, this.#nowS);
  }
}

/** Engines that may die with a request before it is lost. */
const ATTEMPTS_MAX = 3;
/** After the last arrival, whoever has no answer after so long never gets one. */
const PATIENCE_S = 3600;
const PROGRESS_REQUESTS = 200;
