import { Endpoint, type EndpointSpec } from "./endpoint.ts";
import { EndpointHealth } from "./health/endpoint-health.ts";
import { Outlier, type OutlierOptions } from "./health/outlier.ts";
import type { Random } from "./kit/random.ts";
import type { Ledger } from "./ledger.ts";
import { Roster } from "./roster.ts";

/** Endpoints that left with requests still running and may come back; more are forgotten, oldest first. */
const DEPARTED_MAX = 256;

/**
 * The endpoints of a pool. A change is a diff: those that stay keep their counts, speeds and health; those
 * that leave finish what they have; one that comes back meanwhile finds its counts again (P5, P19).
 */
export class Members extends Roster {
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #departed: Map<string, Endpoint> = new Map();

  constructor(ledger: Ledger, random: Random) {
    super();
    this.#ledger = ledger;
    this.#random = random;
  }

  /** Makes these the members; ids must be unique. */
  update(specs: readonly EndpointSpec[], outlier: OutlierOptions): MemberChange {
    const change: MemberChange = { added: [], removed: [], kept: [] };
    const wanted = new Map(specs.map((spec) => [spec.id, spec]));
    if (wanted.size !== specs.length) throw new RangeError("two endpoints of a pool have the same id");
    this.#ledger.refresh(this.slots);
    const leaving = this.list.filter(({ id, spec }) => wanted.get(id)?.address !== spec.address);
    // Before anything is changed: an update that has no room is none.
    const joining = specs.length - (this.list.length - leaving.length);
    if (joining > this.#ledger.roomAfter(leaving.length))
      throw new RangeError(`more than ${this.#ledger.slotsMax} endpoints in all pools together`);
    for (const endpoint of leaving) this.#remove(endpoint, change);
    const gone = new Set(change.removed);
    const next = specs.map((spec) => {
      const endpoint = this.get(spec.id);
      if (endpoint === undefined || gone.has(endpoint)) return this.#add(spec, outlier, change);
      endpoint.spec = spec;
      endpoint.health.outlier.options = outlier;
      change.kept.push(endpoint);
      return endpoint;
    });
    this.set(next);
    return change;
  }

  /** Those that have left with requests still running, oldest first. For people, not for the request path. */
  departed(): Endpoint[] {
    const { generation, inFlight } = this.#ledger;
    const known = [...this.#departed.values()].filter((it) => generation[it.slot] === it.generation);
    this.#ledger.refresh(Int32Array.from(known, ({ slot }) => slot));
    return known.filter(({ slot }) => inFlight[slot]! > 0);
  }

  /** Those that have left `former` with requests still running find their counts here when they come. */
  expect(former: Members): void {
    for (const endpoint of former.departed()) this.#departed.set(key(endpoint.spec), endpoint);
  }

  #add(spec: EndpointSpec, outlier: OutlierOptions, change: MemberChange): Endpoint {
    const former = this.#departed.get(key(spec));
    this.#departed.delete(key(spec));
    let endpoint: Endpoint;
    if (former !== undefined && this.#ledger.revive(former.slot, former.generation)) {
      endpoint = former;
      endpoint.spec = spec;
      endpoint.health.outlier.options = outlier;
    } else {
      const slot = this.#ledger.claim();
      const health = new EndpointHealth(new Outlier(outlier, this.#random));
      endpoint = new Endpoint(spec, slot, this.#ledger.generation[slot]!, health);
    }
    change.added.push(endpoint);
    return endpoint;
  }

  #remove(endpoint: Endpoint, change: MemberChange): void {
    if (this.#ledger.inFlight[endpoint.slot]! > 0) {
      this.#departed.set(key(endpoint.spec), endpoint);
      const oldest = this.#departed.keys().next();
      if (this.#departed.size > DEPARTED_MAX && !oldest.done) this.#departed.delete(oldest.value);
    }
    this.#ledger.retire(endpoint.slot);
    change.removed.push(endpoint);
  }
}

/** What an update did. */
export interface MemberChange {
  readonly added: Endpoint[];
  readonly removed: Endpoint[];
  readonly kept: Endpoint[];
}

function key(spec: EndpointSpec): string {
  return `${spec.id} ${spec.address}`;
}
