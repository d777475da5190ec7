import type { EndpointHealth } from "./health/endpoint-health.ts";

/** A place that does work, as configured or discovered. */
export interface EndpointSpec {
  /** Unique in its pool; what operators see. */
  readonly id: string;
  /** "host:port". */
  readonly address: string;
  /** Share relative to the others; > 0. */
  readonly weight: number;
  /** Requests in flight at most; 0 is no limit. */
  readonly limit: number;
  /** 0 is used first; higher ones only when a lower group can not. */
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** An endpoint with only the defaults: weight 1, no limit, no labels. */
export function endpointSpec(address: string, given: Partial<EndpointSpec> = {}): EndpointSpec {
  return { id: address, address, weight: 1, limit: 0, priority: 0, labels: {}, ...given };
}

/** A member of a pool: its specification, its row in the ledger and its health. */
export class Endpoint {
  spec: EndpointSpec;
  readonly slot: number;
  readonly generation: number;
  readonly health: EndpointHealth;
  /** Weight and limit as an operator set them at run time; null while the configuration's count. */
  weightOverride: number | null = null;
  limitOverride: number | null = null;
  /** When it died last, as far as broken connections tell; clock milliseconds, -Infinity is never. */
  diedAtMs: number = Number.NEGATIVE_INFINITY;
  /** Nobody listened after it: it was a death indeed, and the next one is another. */
  isGone = false;

  constructor(spec: EndpointSpec, slot: number, generation: number, health: EndpointHealth) {
    this.spec = spec;
    this.slot = slot;
    this.generation = generation;
    this.health = health;
  }

  get id(): string {
    return this.spec.id;
  }

  /** Configured weight, or what an operator set. */
  get weight(): number {
    return this.weightOverride ?? this.spec.weight;
  }

  /** Configured limit, or what an operator set; 0 is none. */
  get limit(): number {
    return this.limitOverride ?? this.spec.limit;
  }
}
