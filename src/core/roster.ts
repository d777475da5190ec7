import type { Endpoint } from "./endpoint.ts";

/** The endpoints of a pool, as a pick walks over them. */
export class Roster {
  readonly #byId: Map<string, Endpoint> = new Map();
  readonly #bySlot: Map<number, Endpoint> = new Map();
  /** By priority, then in the order of the configuration. */
  list: readonly Endpoint[] = [];
  /** Their slots, in the same order: what the pick walks over. */
  slots: Int32Array = new Int32Array(0);
  /** Priorities, in the same order. */
  priorities: Int32Array = new Int32Array(0);

  get(id: string): Endpoint | undefined {
    return this.#byId.get(id);
  }

  /** The endpoint in that slot; a bug when there is none. */
  at(slot: number): Endpoint {
    const endpoint = this.#bySlot.get(slot);
    if (endpoint === undefined) throw new Error(`no member in slot ${slot}`);
    return endpoint;
  }

  /** The endpoint in that slot, if it is still the one of that generation. */
  find(slot: number, generation: number): Endpoint | undefined {
    const endpoint = this.#bySlot.get(slot);
    return endpoint?.generation === generation ? endpoint : undefined;
  }

  /** Makes these the endpoints, in the order of the configuration. */
  set(endpoints: readonly Endpoint[]): void {
    this.#byId.clear();
    this.#bySlot.clear();
    for (const endpoint of endpoints) {
      this.#byId.set(endpoint.id, endpoint);
      this.#bySlot.set(endpoint.slot, endpoint);
    }
    const list = endpoints.toSorted((a, b) => a.spec.priority - b.spec.priority);
    this.list = list;
    this.slots = Int32Array.from(list, (endpoint) => endpoint.slot);
    this.priorities = Int32Array.from(list, (endpoint) => endpoint.spec.priority);
  }
}
