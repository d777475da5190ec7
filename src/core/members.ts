import { Endpoint, type EndpointSpec } from "./endpoint.ts";
import { EndpointHealth } from "./health/endpoint-health.ts";
import { Outlier, type OutlierOptions } from "./health/outlier.ts";
import type { Random } from "./kit/random.ts";
import type { Ledger } from "./ledger.ts";

/** Endpoints that left with requests still running and may come back; more are forgotten, oldest first. */
const DEPARTED_MAX = 256;

/**
 * The endpoints of a pool. A change is a diff: those that stay keep their counts, speeds and health; those
 * that leave finish what they have; one that comes back meanwhile finds its counts again (P5, P19).
 */
export class Members {
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #byId: Map<string, Endpoint> = new Map();
  readonly #departed: Map<string, Endpoint> = new Map();
  /** By priority, then in the order of the configuration. */
  list: readonly Endpoint[] = [];
  /** Their slots, in the same order: what the pick walks over. */
  slots: Int32Array = new Int32Array(0);
  /** Priorities, in the same order. */
  priorities: Int32Array = new Int32Array(0);
  readonly #bySlot: (Endpoint | undefined)[];

  constructor(ledger: Ledger, random: Random) {
    this.#ledger = ledger;
    this.#random = random;
    this.#bySlot = Array.from({ length: ledger.slotsMax });
  }

  get(id: string): Endpoint | undefined {
    return this.#byId.get(id);
  }

  /** The member in that slot; a bug when there is none. */
  at(slot: number): Endpoint {
    const endpoint = this.#bySlot[slot];
    if (endpoint === undefined) throw new Error(`no member in slot ${slot}`);
    return endpoint;
  }

  /** Makes these the members; ids must be unique. */
  update(specs: readonly EndpointSpec[], outlier: OutlierOptions): MemberChange {
    const change: MemberChange = { added: [], removed: [], kept: [] };
    const wanted = new Map(specs.map((spec) => [spec.id, spec]));
    if (wanted.size !== specs.length) throw new RangeError("two endpoints of a pool have the same id");
    for (const endpoint of this.#byId.values()) {
      const spec = wanted.get(endpoint.id);
      if (spec === undefined || spec.address !== endpoint.spec.address) this.#remove(endpoint, change);
    }
    for (const spec of wanted.values()) {
      const endpoint = this.#byId.get(spec.id);
      if (endpoint === undefined) this.#add(spec, outlier, change);
      else {
        endpoint.spec = spec;
        endpoint.health.outlier.options = outlier;
        change.kept.push(endpoint);
      }
    }
    this.#order(specs);
    return change;
  }

  #add(spec: EndpointSpec, outlier: OutlierOptions, change: MemberChange): void {
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
    this.#byId.set(spec.id, endpoint);
    this.#bySlot[endpoint.slot] = endpoint;
    change.added.push(endpoint);
  }

  #remove(endpoint: Endpoint, change: MemberChange): void {
    this.#byId.delete(endpoint.id);
    this.#bySlot[endpoint.slot] = undefined;
    if (this.#ledger.inFlight[endpoint.slot]! > 0) {
      this.#departed.set(key(endpoint.spec), endpoint);
      const oldest = this.#departed.keys().next();
      if (this.#departed.size > DEPARTED_MAX && !oldest.done) this.#departed.delete(oldest.value);
    }
    this.#ledger.retire(endpoint.slot);
    change.removed.push(endpoint);
  }

  #order(specs: readonly EndpointSpec[]): void {
    const list = specs.map((spec) => this.#byId.get(spec.id)!);
    list.sort((a, b) => a.spec.priority - b.spec.priority);
    this.list = list;
    this.slots = Int32Array.from(list, (endpoint) => endpoint.slot);
    this.priorities = Int32Array.from(list, (endpoint) => endpoint.spec.priority);
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
