import type { Waiter } from "../../src/core/admission/wait-queue.ts";
import type { Decision } from "../../src/core/decision.ts";
import { type EndpointSpec, endpointSpec } from "../../src/core/endpoint.ts";
import type { PoolEventSink } from "../../src/core/events.ts";
import { combine } from "../../src/core/kit/hash.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease, type Outcome } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { BARE_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { Work } from "../../src/core/work.ts";
import { Backend, type Job } from "./backend.ts";
import { EventLoop } from "./event-loop.ts";

/**
 * Requests that arrive whether or not earlier ones were answered, FIFO backends, clients with a deadline: the
 * scenario of most experiments, in virtual time. What happened is a function of the scenario and its seed
 * alone.
 */
export function runOpenLoop(scenario: OpenLoopScenario): OpenLoopResult {
  return new OpenLoop(scenario).run();
}

export interface OpenLoopScenario {
  readonly policy: string;
  readonly seed: number;
  readonly endpoints: number | readonly EndpointSpec[];
  readonly requests: number;
  /** Mean milliseconds between two arrivals. */
  readonly gapMs: number;
  /** Poisson arrivals, or one every `gapMs` exactly. */
  readonly arrivals?: "poisson" | "even";
  /** How long endpoint `index` works on a request that begins to be worked on around `nowMs`. */
  serviceMs(index: number, nowMs: number, random: Random): number;
  /** Requests that a backend works on at once; default 1. */
  readonly serversEach?: number;
  /** Clients leave after that time; default never. */
  readonly deadlineMs?: number;
  /** How an answer ends; default well. */
  outcome?(index: number, nowMs: number): Outcome;
  /** An abandoned request that still waits at its backend is not worked on; default true. */
  readonly backendsSeeAborts?: boolean;
  readonly options?: Partial<PoolOptions>;
  /** Is told what an operator would be. */
  readonly onEvent?: PoolEventSink;
  /** Requests left out of `meanMs` at the beginning; default 0. */
  readonly warmUp?: number;
  /** Called with what runs, before the first request: to plan changes on the way. */
  prepare?(live: LiveScenario): void;
}

export interface LiveScenario {
  readonly loop: EventLoop;
  readonly pool: Pool;
  readonly ledger: Ledger;
  /** Requests picked so far, by endpoint id. */
  readonly picks: ReadonlyMap<string, number>;
}

export interface OpenLoopResult extends LiveScenario {
  /** Answered well before the deadline. */
  good: number;
  failed: number;
  aborted: number;
  refused: number;
  /** Mean time from arrival to a good answer. */
  meanMs: number;
  /** Hash of everything that was decided and when: equal for equal seeds. */
  trace: number;
}

class OpenLoop {
  readonly scenario: OpenLoopScenario;
  readonly loop: EventLoop = new EventLoop();
  readonly service: Random;
  readonly #arrivals: Random;
  readonly #pool: Pool;
  readonly #ledger: Ledger;
  readonly #picks: Map<string, number> = new Map();
  readonly #backends: Map<string, Backend> = new Map();
  readonly #indexes: Map<string, number> = new Map();
  readonly #result: OpenLoopResult;
  #arrived = 0;
  #answerMs = 0;
  #answers = 0;

  constructor(scenario: OpenLoopScenario) {
    this.scenario = scenario;
    const random = new Random(scenario.seed);
    this.#arrivals = random.split(1);
    this.service = random.split(2);
    const specs = specsOf(scenario.endpoints);
    const slotsMax = Math.max(64, specs.length * 2);
    this.#ledger = new Ledger({ slotsMax });
    this.#pool = new Pool({
      name: "scenario",
      ledger: this.#ledger,
      clock: this.loop.clock,
      random: random.split(3),
      policy: createPolicy(scenario.policy, { random: random.split(4), slotsMax }),
      options: { ...BARE_POOL_OPTIONS, ...scenario.options },
      ...(scenario.onEvent === undefined ? {} : { onEvent: scenario.onEvent }),
    });
    this.#pool.update(specs);
    const { loop } = this;
    const live: LiveScenario = { loop, pool: this.#pool, ledger: this.#ledger, picks: this.#picks };
    this.#result = { ...live, good: 0, failed: 0, aborted: 0, refused: 0, meanMs: 0, trace: 0 };
    scenario.prepare?.(live);
  }

  run(): OpenLoopResult {
    this.#planArrival(0);
    this.loop.run();
    this.#result.meanMs = this.#answerMs / this.#answers;
    return this.#result;
  }

  pick(client: Client): void {
    const canWait = this.#pool.options.queue !== null;
    const decision = this.#pool.pick(client.work, client.lease, canWait ? client : null);
    if (decision.kind !== "wait") client.decided(decision);
  }

  /** The request is booked on an endpoint; works on it there. */
  submit(lease: Lease, done: () => void): { backend: Backend; job: Job; index: number } {
    const { id } = lease.endpoint!;
    this.#picks.set(id, (this.#picks.get(id) ?? 0) + 1);
    const { serversEach = 1 } = this.scenario;
    const backend = this.#backends.get(id) ?? new Backend(this.loop, serversEach);
    this.#backends.set(id, backend);
    const index = this.#indexes.get(id) ?? this.#indexOf(id);
    const serviceMs = this.scenario.serviceMs(index, this.loop.nowMs, this.service);
    this.note(lease.slot);
    return { backend, job: backend.submit(serviceMs, done), index };
  }

  leave(lease: Lease): boolean {
    return this.#pool.leaveQueue(lease);
  }

  ended(client: Client, how: "good" | "failed" | "aborted" | "refused"): void {
    this.#result[how]++;
    this.note(how.length);
    if (how !== "good" || client.number < (this.scenario.warmUp ?? 0)) return;
    this.#answerMs += this.loop.nowMs - client.arrivedAtMs;
    this.#answers++;
  }

  note(what: number): void {
    const time = Math.round(this.loop.nowMs * 1000);
    this.#result.trace = combine(combine(this.#result.trace, what), time);
  }

  #indexOf(id: string): number {
    const index = Number(/\d+$/.exec(id)?.[0] ?? Number.NaN);
    this.#indexes.set(id, index);
    return index;
  }

  #planArrival(atMs: number): void {
    if (this.#arrived === this.scenario.requests) return;
    this.loop.at(atMs, () => {
      const { gapMs, arrivals = "poisson" } = this.scenario;
      const client = new Client(this, this.#arrived++, this.loop.nowMs);
      this.pick(client);
      this.#planArrival(atMs + (arrivals === "even" ? gapMs : this.#arrivals.exponential(gapMs)));
    });
  }
}

class Client implements Waiter {
  readonly work: Work = new Work();
  readonly lease: Lease = new Lease();
  readonly number: number;
  readonly arrivedAtMs: number;
  readonly #open: OpenLoop;
  #hasEnded = false;

  constructor(open: OpenLoop, number: number, arrivedAtMs: number) {
    this.#open = open;
    this.number = number;
    this.arrivedAtMs = arrivedAtMs;
    this.work.isReplayable = true;
  }

  decided(decision: Decision): void {
    if (decision.kind !== "send") {
      this.#hasEnded = true;
      return this.#open.ended(this, "refused");
    }
    const { scenario, loop } = this.#open;
    const sent = this.#open.submit(this.lease, () => this.#answered(sent.index));
    const { deadlineMs } = scenario;
    if (deadlineMs === undefined) return;
    loop.at(Math.max(this.arrivedAtMs + deadlineMs, loop.nowMs), () => {
      if (this.#hasEnded) return;
      if (scenario.backendsSeeAborts ?? true) sent.backend.cancel(sent.job);
      this.#hasEnded = true;
      this.lease.settle("client_abort");
      this.#open.ended(this, "aborted");
    });
  }

  #answered(index: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { scenario, loop } = this.#open;
    const outcome = scenario.outcome?.(index, loop.nowMs) ?? "ok";
    this.lease.settle(outcome);
    this.#open.ended(this, outcome === "ok" ? "good" : "failed");
  }
}

/** Ids end in the number by which `serviceMs` and `outcome` know the endpoint: `b0`, `b1`, ... */
export function specsOf(endpoints: number | readonly EndpointSpec[]): readonly EndpointSpec[] {
  if (typeof endpoints !== "number") return endpoints;
  return Array.from({ length: endpoints }, (_, index) => endpointSpec(`b${index}`));
}
