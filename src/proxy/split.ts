// Hot path: only on routes with a split; one draw, or one hash and a logarithm a pool.
import { hashText } from "../core/kit/hash.ts";
import type { Random } from "../core/kit/random.ts";
import { rendezvousScore } from "../core/policies/hash.ts";
import { NO_KEY } from "../core/work.ts";
import type { RequestHead } from "../http1/head.ts";
import { type KeySource, keyOf } from "./keys.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import { sessionTag } from "./session-cookie.ts";

/** One pool of a split. */
export interface SplitPart {
  readonly traffic: PoolTraffic;
  /** Its share, relative to the others; 0 gets nothing. */
  readonly weight: number;
}

/**
 * Requests of one route over several pools, by weight. A session stays: with our cookie in the pool that the
 * cookie is of, with another key where weighted rendezvous hashing puts it, so that a change of weights moves
 * only as many sessions as it must. Everybody else is drawn.
 */
export class Split {
  readonly parts: readonly SplitPart[];
  readonly #total: number;
  readonly #identities: readonly number[];
  readonly #hasCookies: boolean;
  readonly #key: KeySource | null;

  /** At least one part has a weight above 0. */
  constructor(parts: readonly SplitPart[]) {
    this.parts = parts.filter(({ weight }) => weight > 0);
    this.#total = this.parts.reduce((sum, { weight }) => sum + weight, 0);
    this.#identities = this.parts.map(({ traffic }) => hashText(`pool ${traffic.name}`));
    this.#hasCookies = this.parts.some(({ traffic }) => traffic.cookies !== null);
    const keys = this.parts.map(({ traffic }) => traffic.sessionKey);
    // A key in the body comes too late: the pool is chosen by the head.
    this.#key = keys.find((key) => key !== null && key.from !== "body") ?? null;
  }

  choose(head: RequestHead, client: string, random: Random): PoolTraffic {
    if (this.parts.length === 1) return this.parts[0]!.traffic;
    const home = this.#hasCookies ? this.#home(head) : null;
    if (home !== null) return home;
    const key = this.#key === null ? NO_KEY : keyOf(this.#key, head, client);
    return this.parts[key === NO_KEY ? this.#draw(random) : this.#highest(key)]!.traffic;
  }

  #home(head: RequestHead): PoolTraffic | null {
    for (let i = 0; i < this.parts.length; i++) {
      const { traffic } = this.parts[i]!;
      if (traffic.cookies !== null && sessionTag(traffic.cookies, head) !== null) return traffic;
    }
    return null;
  }

  #draw(random: Random): number {
    let rest = random.float() * this.#total;
    for (let i = 0; i < this.parts.length - 1; i++) {
      rest -= this.parts[i]!.weight;
      if (rest < 0) return i;
    }
    return this.parts.length - 1;
  }

  #highest(key: number): number {
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.parts.length; i++) {
      const score = rendezvousScore(key, this.#identities[i]!, this.parts[i]!.weight);
      if (score <= highest) continue;
      highest = score;
      best = i;
    }
    return best;
  }
}
