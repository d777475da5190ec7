import { combine, hashText } from "../kit/hash.ts";
import type { Random } from "../kit/random.ts";
import { NO_KEY, type Work } from "../work.ts";
import type { Policy, PolicyKit, PolicyOptions, PolicySpec, PoolView } from "./policy.ts";

/**
 * One key stays on one endpoint while it has room: weighted rendezvous hashing with bounded load.
 * When to use: caches on the endpoints; the same user, document or conversation in one place.
 * When not: few keys that carry most of the load.
 * Cost: O(n) a pick, with one logarithm each where weights differ, no allocation. Removing an endpoint moves
 * only its own keys.
 * Source: rendezvous: Thaler and Ravishankar (1998), weights by -w / ln(h) (Schindelhauer and Schomaker,
 * 2005); bound: Mirrokni, Thorup, Zadimoghaddam, Consistent Hashing with Bounded Loads (2016).
 */
export const hash: PolicySpec = {
  name: "hash",
  summary: "one key stays on one endpoint (bounded-load rendezvous)",
  options: {
    key: {
      kind: "text",
      default: "client_ip",
      about:
        "what is hashed: `header:NAME`, `cookie:NAME`, `query:NAME`, `body:FIELD` (top level of JSON), " +
        "`path` or `client_ip`; requests without it are spread at random",
    },
    balance_factor: {
      kind: "number",
      default: 1.25,
      min: 1,
      max: 100,
      about: "an endpoint takes at most this many times its fair share of what is in flight",
    },
  },
  create: (options, kit) => new Hash(options, kit),
};

class Hash implements Policy {
  readonly #factor: number;
  readonly #random: Random;
  /** Hash of the endpoint's identity per slot: slots are reused, identities are not. */
  readonly #identity: Float64Array;

  constructor(options: PolicyOptions, kit: PolicyKit) {
    this.#factor = Number(options.balance_factor);
    this.#random = kit.random;
    this.#identity = new Float64Array(kit.slotsMax);
  }

  joined(slot: number, id: string): void {
    this.#identity[slot] = hashText(id);
  }

  pick(view: PoolView, work: Work): number {
    const { candidates, count } = view;
    const { inFlight, burden, weight } = view.ledger;
    const key = work.key === NO_KEY ? this.#random.uint32() : work.key;
    let total = 1;
    let weights = 0;
    let isEven = true;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      total += inFlight[slot]! + Math.floor(burden[slot]!);
      weights += weight[slot]!;
      if (weight[slot] !== weight[candidates[0]!]) isEven = false;
    }
    const boundPerWeight = (this.#factor * total) / weights;
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      // Failures in a row count as work in flight, or overflow would go to who fails at once (P3); a single
      // one does not, or it would move keys. Whoever would go beyond its bound is passed over, unless it
      // stands empty: then nobody is better.
      const load = inFlight[slot]! + Math.floor(burden[slot]!);
      if (load > 0 && load + 1 > Math.ceil(boundPerWeight * weight[slot]!)) continue;
      const identity = this.#identity[slot]!;
      // Among equals the logarithm changes nothing in the order.
      const score = isEven ? combine(key, identity) : rendezvousScore(key, identity, weight[slot]!);
      if (score > bestScore) {
        bestScore = score;
        best = slot;
      }
    }
    return best;
  }
}

/** The endpoint with the highest score of a key is the key's home; the share of keys follows the weight. */
export function rendezvousScore(key: number, identity: number, weight: number): number {
  const point = (combine(key, identity) + 0.5) / 4294967296;
  return -weight / Math.log(point);
}
