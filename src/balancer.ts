import type { Decision } from "./core/decision.ts";
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
    const reason = decision.reason.replaceAll("_", " ");
    throw new EvenerError("EVENER_NO_ENDPOINT", `no endpoint can take the work: ${reason}; try again later`);
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
      endpoints.map((given) =>
        typeof given === "string" ? endpointSpec(given) : endpointSpec(given.address, given),
      ),
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
