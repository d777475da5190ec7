import { test } from "node:test";

import { type EndpointSpec, endpointSpec } from "../../src/core/endpoint.ts";
import type { PoolEvent } from "../../src/core/events.ts";
import { VirtualClock } from "../../src/core/kit/clock.ts";
import { Random } from "../../src/core/kit/random.ts";
import type { Lease } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { POLICIES } from "../../src/core/policies/index.ts";
import type { PolicyOptions } from "../../src/core/policies/policy.ts";
import { BARE_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { Work } from "../../src/core/work.ts";

/** Every policy of the menu: a new one has the laws from its first day. */
export const ALL: readonly string[] = POLICIES.map((spec) => spec.name);

/** All that spread work; `fill` is there to do the opposite. */
export const SPREADING: readonly string[] = ALL.filter((name) => name !== "fill");

/** Those that look at what is in flight, at latency or at what the endpoints report. */
export const LOAD_AWARE: readonly string[] = SPREADING.filter(
  (name) => !["round_robin", "random", "hash"].includes(name),
);

/** Runs the law for each policy, once a seed. `EVENER_SEED=5` runs that seed alone. */
export function law(
  title: string,
  holds: (policy: string, seed: number) => void,
  { policies = ALL, seeds = [1, 2, 3] }: { policies?: readonly string[]; seeds?: readonly number[] } = {},
): void {
  const given = process.env.EVENER_SEED;
  const chosen = given === undefined ? seeds : [Number(given)];
  for (const policy of policies) {
    test(`${title}: ${policy}`, () => {
      for (const seed of chosen) {
        try {
          holds(policy, seed);
        } catch (cause) {
          const what = cause instanceof Error ? cause.message : String(cause);
          throw new Error(`${policy}, seed ${seed} (again with EVENER_SEED=${seed}): ${what}`, { cause });
        }
      }
    });
  }
}

/** A pool with its clock, dice and ledger at hand. */
export interface Fleet {
  readonly pool: Pool;
  readonly ledger: Ledger;
  readonly clock: VirtualClock;
  /** For the test's own throws. */
  readonly dice: Random;
  readonly events: PoolEvent[];
}

export function makeFleet(policy: string, seed: number, setup: FleetSetup = {}): Fleet {
  const clock = new VirtualClock();
  const random = new Random(seed);
  const ledger = setup.ledger ?? new Ledger({ slotsMax: setup.slotsMax ?? 256 });
  const events: PoolEvent[] = [];
  const pool = new Pool({
    name: "law",
    ledger,
    clock,
    random: random.split(1),
    policy: createPolicy(
      policy,
      { random: random.split(2), slotsMax: ledger.slotsMax },
      setup.policyOptions ?? {},
    ),
    options: { ...BARE_POOL_OPTIONS, ...setup.options },
    onEvent: (event) => events.push(event),
  });
  if (setup.specs !== undefined) pool.update(setup.specs);
  return { pool, ledger, clock, dice: random.split(3), events };
}

export interface FleetSetup {
  readonly specs?: readonly EndpointSpec[];
  readonly options?: Partial<PoolOptions>;
  readonly policyOptions?: PolicyOptions;
  readonly slotsMax?: number;
  readonly ledger?: Ledger;
}

/** `count` endpoints `b0`, `b1`, ... of which each may be given something of its own. */
export function equals(
  count: number,
  given: (index: number) => Partial<EndpointSpec> = () => ({}),
): EndpointSpec[] {
  return Array.from({ length: count }, (_, index) => endpointSpec(`b${index}`, given(index)));
}

/** Work with some fields set. */
export function work(given: Partial<Work> = {}): Work {
  return Object.assign(new Work(), given);
}

/** Picks and expects an endpoint. */
export function send(pool: Pool, what: Work = new Work()): Lease {
  const decision = pool.pick(what);
  if (decision.kind === "send") return decision.lease;
  throw new Error(`expected an endpoint, got ${decision.kind} (${decision.reason})`);
}

/** Picks and expects a refusal; returns its reason. */
export function refusal(pool: Pool, what: Work = new Work()): string {
  const decision = pool.pick(what);
  if (decision.kind === "refuse") return decision.reason;
  throw new Error(`expected a refusal, got ${decision.kind}`);
}

/**
 * Keeps `concurrency` requests of equal length in flight until `requests` are done; returns the share of each
 * id.
 */
export function closedLoop(
  { pool, clock }: Fleet,
  requests: number,
  concurrency: number,
  { makeWork = () => new Work(), stepMs = 1 }: { makeWork?: () => Work; stepMs?: number } = {},
): Map<string, number> {
  const counts = new Map<string, number>();
  const open: Lease[] = [];
  for (let i = 0; i < requests; i++) {
    if (open.length === concurrency) open.shift()!.settle("ok");
    const lease = send(pool, makeWork());
    open.push(lease);
    counts.set(lease.endpoint!.id, (counts.get(lease.endpoint!.id) ?? 0) + 1);
    clock.advance(stepMs);
  }
  for (const lease of open) lease.settle("ok");
  return new Map([...counts].map(([id, count]) => [id, count / requests]));
}
