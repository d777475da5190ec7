import assert from "node:assert/strict";

import type { Waiter } from "../../src/core/admission/wait-queue.ts";
import type { Decision } from "../../src/core/decision.ts";
import { type EndpointSpec, endpointSpec } from "../../src/core/endpoint.ts";
import { combine } from "../../src/core/kit/hash.ts";
import type { Random } from "../../src/core/kit/random.ts";
import { Lease, type Outcome } from "../../src/core/lease.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import { type WorkClass, WORK_CLASSES, Work } from "../../src/core/work.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { type Fleet, makeFleet } from "./law.ts";

/**
 * Everything that can happen to a pool, in random order, driven by a seed: picks with labels, sessions, keys
 * and earlier attempts, all outcomes, clients that leave, probes, operators, agents, membership changes,
 * reloads, time.
 */
export class RandomWalk {
  readonly fleet: Fleet;
  readonly clients: Client[] = [];
  /** Clients that have got no decision yet. */
  readonly waiting: Set<Client> = new Set();
  specs: readonly EndpointSpec[] = [];
  /** Hash of all decisions, in order. */
  trace = 0;
  readonly #policy: string;
  readonly #dice: Random;
  readonly #onSend: (client: Client, walk: RandomWalk) => void;
  #options: PoolOptions;

  constructor(
    policy: string,
    seed: number,
    { onSend = () => {}, slotsMax = 24, panicShare = 0.5 }: RandomWalkSetup = {},
  ) {
    this.#policy = policy;
    this.#onSend = onSend;
    const outlier = { ...DEFAULT_POOL_OPTIONS.outlier!, panicShare };
    this.#options = { ...DEFAULT_POOL_OPTIONS, outlier, queue: { requestsMax: 20, waitMs: 500 } };
    this.fleet = makeFleet(policy, seed, { options: this.#options, slotsMax });
    this.#dice = this.fleet.dice;
    this.#changeMembers();
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.#step();
  }

  /** All that is open ends; afterwards the pool is at rest. */
  end(): void {
    for (const client of this.waiting) this.#leave(client);
    for (const client of this.clients) client.lease.settle("ok");
    this.clients.length = 0;
    this.fleet.clock.advance(120_000);
    this.fleet.pool.tend();
  }

  /** Sends a new client into the pool. */
  arrive(): void {
    const client = new Client(this, randomWork(this.#dice, this.specs, this.fleet));
    const waiter = this.#dice.below(4) === 0 ? null : client;
    if (waiter !== null) this.waiting.add(client);
    this.clients.push(client);
    const decision = this.fleet.pool.pick(client.work, client.lease, waiter);
    if (decision.kind !== "wait") client.decided(decision);
  }

  decided(client: Client, decision: Decision): void {
    this.waiting.delete(client);
    const slot = decision.kind === "send" ? decision.lease.slot : -1;
    this.trace = combine(combine(this.trace, slot), Math.round(this.fleet.clock.nowMs()));
    if (decision.kind === "send") this.#onSend(client, this);
    else this.#forget(client);
  }

  #step(): void {
    const dice = this.#dice;
    const { pool, clock } = this.fleet;
    const kind = dice.below(100);
    if (kind < 45) return this.arrive();
    if (kind < 75) return this.#settleOne();
    if (kind < 78) return this.#leaveOne();
    if (kind < 86) return clock.advance(dice.below(10) === 0 ? dice.below(20_000) : dice.below(200));
    const id = this.specs[dice.below(this.specs.length)]?.id ?? "nobody";
    if (kind < 91) return pool.probed(id, dice.below(3) > 0 ? PASSED : { passed: false, detail: "500" });
    if (kind < 93) return void pool.wish(id, (["ready", "ready", "drain", "down"] as const)[dice.below(4)]!);
    if (kind < 95) return pool.agentSaid(id, dice.below(3) > 0 ? "ready" : "drain", 0.5 + dice.float() / 2);
    if (kind < 97) return pool.tend();
    if (kind < 99) return this.#changeMembers();
    return this.#reload();
  }

  #settleOne(): void {
    const client = this.clients[this.#dice.below(this.clients.length)];
    if (client === undefined || !client.lease.isOpen) return;
    if (this.#dice.below(3) > 0) client.lease.started();
    if (this.#dice.below(3) === 0) client.lease.progress(this.#dice.below(50));
    this.#forget(client);
    const outcome = OUTCOMES[this.#dice.below(OUTCOMES.length)]!;
    const isUnreachable = outcome === "backend_error" && this.#dice.below(10) === 0;
    client.lease.settle(outcome, { retryAfterMs: this.#dice.below(3) * 1_000, isUnreachable });
    assert.equal(client.lease.settle("ok"), false, "a second settle does nothing");
  }

  #leaveOne(): void {
    const [client] = this.waiting;
    if (client !== undefined) this.#leave(client);
  }

  #leave(client: Client): void {
    assert.equal(this.fleet.pool.leaveQueue(client.lease), true);
    assert.equal(this.fleet.pool.leaveQueue(client.lease), false, "one leaves once");
    this.waiting.delete(client);
    this.#forget(client);
  }

  #forget(client: Client): void {
    const at = this.clients.indexOf(client);
    if (at >= 0) this.clients.splice(at, 1);
  }

  /** Some of twelve possible endpoints, with addresses, weights and limits that change. */
  #changeMembers(): void {
    const dice = this.#dice;
    const specs: EndpointSpec[] = [];
    for (let i = 0; i < 12; i++) {
      if (dice.below(3) === 0) continue;
      const labels = LABELS[i % LABELS.length]!;
      const limit = dice.below(2) === 0 ? 0 : 1 + dice.below(4);
      const priority = i % 4 === 3 ? 1 : 0;
      const given = { id: `b${i}`, weight: 1 + dice.below(5), limit, labels, priority };
      // Another address is another endpoint, even under the same name.
      specs.push(endpointSpec(`host${i}:${dice.below(8) === 0 ? 8001 : 8000}`, given));
    }
    this.specs = specs;
    this.fleet.pool.update(specs);
  }

  #reload(): void {
    const dice = this.#dice;
    const failover = dice.below(2) === 0 ? "down" : "full";
    const sessionWhenFull = dice.below(2) === 0 ? "spill" : "wait";
    this.#options = { ...this.#options, failover, sessionWhenFull, slowStartMs: dice.below(2) * 5_000 };
    const kit = { random: dice.split(dice.below(1_000)), slotsMax: this.fleet.ledger.slotsMax };
    this.fleet.pool.configure(this.#options, dice.below(2) === 0 ? null : createPolicy(this.#policy, kit));
    this.fleet.pool.update(this.specs);
  }
}

export interface RandomWalkSetup {
  /**
   * Called for everything that was sent, with what was true before the booking still to be seen by `inFlight
   * - 1`.
   */
  readonly onSend?: (client: Client, walk: RandomWalk) => void;
  /** Few slots force their reuse while leases of the endpoint before are open. */
  readonly slotsMax?: number;
  readonly panicShare?: number;
}

export class Client implements Waiter {
  readonly lease: Lease = new Lease();
  readonly work: Work;
  readonly #walk: RandomWalk;
  #decisions = 0;

  constructor(walk: RandomWalk, work: Work) {
    this.#walk = walk;
    this.work = work;
  }

  decided(decision: Decision): void {
    this.#decisions++;
    assert.equal(this.#decisions, 1, "a client is decided once");
    this.#walk.decided(this, decision);
  }
}

const PASSED = { passed: true } as const;

const OUTCOMES: readonly Outcome[] = [
  "ok",
  "ok",
  "ok",
  "backend_error",
  "backend_overload",
  "timeout",
  "client_abort",
  "cancelled",
];

const LABELS: readonly Readonly<Record<string, string>>[] = [
  {},
  { gpu: "h100" },
  { gpu: "h100", zone: "a" },
  { gpu: "a100", zone: "b" },
];

const WANTED: readonly Readonly<Record<string, string>>[] = [
  { gpu: "h100" },
  { zone: "b" },
  { gpu: "h100", zone: "a" },
];

function randomWork(dice: Random, specs: readonly EndpointSpec[], { pool }: Fleet): Work {
  const work = new Work();
  const wanted: WorkClass = WORK_CLASSES[dice.below(WORK_CLASSES.length)]!;
  work.classIndex = WORK_CLASSES.indexOf(wanted);
  work.units = 1 + dice.below(100);
  work.isReplayable = dice.below(2) === 0;
  if (dice.below(3) === 0) work.labels = WANTED[dice.below(WANTED.length)]!;
  if (dice.below(3) === 0) work.key = dice.uint32();
  if (dice.below(4) === 0) work.sessionKey = dice.below(50);
  const home = pool.members.get(specs[dice.below(specs.length)]?.id ?? "nobody");
  if (dice.below(6) === 0 && home !== undefined) work.sessionSlot = home.slot;
  for (let tried = dice.below(3); tried > 0; tried--) {
    const endpoint = pool.members.get(specs[dice.below(specs.length)]?.id ?? "nobody");
    if (endpoint !== undefined) work.avoid(endpoint.slot);
  }
  return work;
}
