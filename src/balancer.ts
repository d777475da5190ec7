import type { Decision, RefuseReason } from "./core/decision.ts";
import { type EndpointSpec, endpointSpec } from "./core/endpoint.ts";
import type { Clock } from "./core/kit/clock.ts";
import { hashText } from "./core/kit/hash.ts";
import { Random } from "./core/kit/random.ts";
import { Lease } from "./core/lease.ts";
import { Ledger } from "./core/ledger.ts";
import { createPolicy } from "./core/policies/create.ts";
import type { PolicyOptions } from "./core/policies/policy.ts";
import { Pool } from "./core/pool.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "./core/pool-options.ts";
import { Work } from "./core/work.ts";
import { EvenerError } from "./errors.ts";

/**
 * Evener as a library: chooses among endpoints inside your own program.
 *
 * ```ts
 * const lb = new Balancer({ endpoints: ["server1:8000", "server2:8000"], policy: "round_robin" });
 * lb.next(); // "server1:8000"
 * const lease = lb.pick();
 * lease.settle("ok"); // when the work is done
 * ```
 */
export class Balancer {
  /** The pool behind it, for everything that this class does not offer. */
  readonly pool: Pool;

  /** Throws RangeError for an unknown policy or option, or for two endpoints with one id. */
  constructor(options: BalancerOptions) {
    checkKeys(options, OPTIONS, "");
    checkBehaviour(options.behaviour ?? {});
    const ledger = new Ledger({ slotsMax: Math.max(LIBRARY_SLOTS, options.endpoints.length * 2) });
    const random = new Random(options.seed ?? (Math.random() * 2 ** 32) >>> 0);
    this.pool = new Pool({
      name: "library",
      ledger,
      clock: options.clock ?? { nowMs: () => performance.now() },
      random,
      policy: createPolicy(
        options.policy ?? "auto",
        { random: random.split(1), slotsMax: ledger.slotsMax },
        options.policyOptions,
      ),
      options: { ...DEFAULT_POOL_OPTIONS, ...options.behaviour },
    });
    this.update(options.endpoints);
  }

  /**
   * The address of the next endpoint, for policies that need no feedback (round_robin, random, hash by
   * `key`). Nothing stays booked: policies that go by what is in flight want {@link pick}.
   */
  next(key?: string): string {
    const lease = this.pick(key === undefined ? {} : { key });
    lease.settle("cancelled");
    return lease.endpoint!.spec.address;
  }

  /**
   * Books one piece of work; settle the lease when it ends. Throws EVENER_NO_ENDPOINT when nothing can take
   * it.
   */
  pick(work: { key?: string; units?: number } = {}): Lease {
    const decision = this.tryPick(work);
    if (decision.kind === "send") return decision.lease;
    const why = decision.kind === "refuse" ? REFUSALS[decision.reason] : REFUSALS.saturated;
    throw new EvenerError("EVENER_NO_ENDPOINT", why);
  }

  /** As {@link pick}, with the refusal as a value. */
  tryPick(given: { key?: string; units?: number } = {}): Decision {
    const work = new Work();
    if (given.key !== undefined) work.key = hashText(given.key);
    if (given.units !== undefined) work.units = given.units;
    work.isReplayable = true;
    return this.pool.pick(work, new Lease());
  }

  /** Makes these the endpoints; those that stay keep their counts. */
  update(endpoints: readonly (string | (Partial<EndpointSpec> & { address: string }))[]): void {
    this.pool.update(
      endpoints.map((given) => {
        if (typeof given === "string") return endpointSpec(given);
        checkKeys(given, SPEC_KEYS, "endpoints");
        return endpointSpec(given.address, given);
      }),
    );
  }
}

/** How a {@link Balancer} is made. */
export interface BalancerOptions {
  /** Addresses, or specifications with weight, limit, labels. */
  readonly endpoints: readonly (string | (Partial<EndpointSpec> & { address: string }))[];
  /** A name of the menu; default `auto`. */
  readonly policy?: string;
  readonly policyOptions?: PolicyOptions;
  /** What differs from the pool's defaults: ejection, slowdown, slow start. */
  readonly behaviour?: Partial<PoolOptions>;
  /** Makes every choice reproducible. */
  readonly seed?: number;
  /** Milliseconds from a clock of your own: for tests. */
  readonly clock?: Clock;
}

const LIBRARY_SLOTS = 64;
const OPTIONS: readonly (keyof BalancerOptions)[] = [
  "endpoints",
  "policy",
  "policyOptions",
  "behaviour",
  "seed",
  "clock",
];
const SPEC_KEYS = Object.keys(endpointSpec(""));
/** The blocks of {@link PoolOptions} with all their keys; those that are off by default, too. */
const BLOCKS: Readonly<Record<string, readonly string[]>> = {
  outlier: Object.keys(DEFAULT_POOL_OPTIONS.outlier!),
  slowdown: Object.keys(DEFAULT_POOL_OPTIONS.slowdown!),
  probes: Object.keys(DEFAULT_POOL_OPTIONS.probes),
  queue: ["requestsMax", "waitMs"],
};

/** Why there is no lease, and what to do. */
const REFUSALS: Readonly<Record<RefuseReason, string>> = {
  no_endpoint: "there are no endpoints; name some in the constructor, or by update()",
  all_drained: 'every endpoint is drained; take one back by pool.wish(id, "ready")',
  all_down: "no endpoint is healthy; try again later",
  all_tried: "every healthy endpoint has failed this work",
  saturated: "every endpoint is at its limit; try again when a lease has settled",
  queue_full: "every endpoint is at its limit and the queue is full; try again later",
  queue_timeout: "no endpoint became free in time; try again later",
};

/** Programs in plain JavaScript have no compiler that would tell them. */
function checkBehaviour(behaviour: Partial<PoolOptions>): void {
  checkKeys(behaviour, Object.keys(DEFAULT_POOL_OPTIONS), "behaviour");
  for (const [name, block] of Object.entries(behaviour)) {
    const keys = BLOCKS[name];
    if (keys === undefined || block === null) continue;
    const path = `behaviour.${name}`;
    if (typeof block !== "object")
      throw new RangeError(`${path} is no object; its keys are: ${keys.join(", ")}`);
    checkKeys(block, keys, path);
    const missing = keys.find((key) => !Object.hasOwn(block, key));
    if (missing !== undefined) throw new RangeError(`${path} has no ${missing}; a block is given whole`);
  }
}

function checkKeys(given: object, keys: readonly string[], path: string): void {
  const unknown = Object.keys(given).find((key) => !keys.includes(key));
  if (unknown === undefined) return;
  const where = path === "" ? "" : ` in ${path}`;
  throw new RangeError(`there is no "${unknown}"${where}; there are: ${keys.join(", ")}`);
}
