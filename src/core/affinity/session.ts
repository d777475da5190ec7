import type { Endpoint } from "../endpoint.ts";
import { hashText } from "../kit/hash.ts";
import { STATE, type Ledger } from "../ledger.ts";
import { rendezvousScore } from "../policies/hash.ts";
import { NO_KEY, type Work } from "../work.ts";

/**
 * Where a session is at home. A cookie names its endpoint; any other key (a header, the client's address) is at home
 * where rendezvous hashing puts it: nothing to store, nothing lost by a restart, and a membership change moves only
 * the sessions of the endpoint that left.
 *
 * Overflow rules: home full: the work spills to another endpoint (or waits, if so configured) and the session stays;
 * home draining, down, ejected or tried: the work goes elsewhere and the session moves with it.
 */
export class SessionHomes {
  #identities: Float64Array = new Float64Array(0);
  #members: readonly Endpoint[] = [];

  /** To be told when the members change. */
  update(members: readonly Endpoint[]): void {
    this.#members = members;
    this.#identities = Float64Array.from(members, (endpoint) => hashText(endpoint.id));
  }

  /** The slot of the session's home, or -1 when it has none (or none that is well). O(members) for keys. */
  find(work: Work, ledger: Ledger): number {
    if (work.sessionSlot >= 0) return canServe(work.sessionSlot, work, ledger) ? work.sessionSlot : -1;
    if (work.sessionKey === NO_KEY) return -1;
    let home = -1;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.#members.length; i++) {
      const endpoint = this.#members[i]!;
      if (!canServe(endpoint.slot, work, ledger)) continue;
      // The configured weight: a slow start or a slowdown must not move sessions.
      const score = rendezvousScore(work.sessionKey, this.#identities[i]!, endpoint.weight);
      if (score > highest) {
        highest = score;
        home = endpoint.slot;
      }
    }
    return home;
  }
}

function canServe(slot: number, work: Work, ledger: Ledger): boolean {
  return ledger.state[slot] === STATE.available && !work.hasTried(slot);
}
