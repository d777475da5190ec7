import type { Candidates } from "../candidates.ts";
import type { Endpoint } from "../endpoint.ts";
import { hashText } from "../kit/hash.ts";
import type { Ledger } from "../ledger.ts";
import { rendezvousScore } from "../policies/hash.ts";
import { NO_KEY, type Work } from "../work.ts";

/**
 * Where a session is at home. A cookie names its endpoint; any other key (a header, the client's address) is
 * at home where rendezvous hashing puts it: nothing to store, nothing lost by a restart, and a membership
 * change moves only the sessions of the endpoint that left.
 *
 * Overflow rules: home full: the work spills to another endpoint (or waits, if so configured) and the session
 * stays; home draining, down, ejected or tried: the work goes elsewhere and the session moves with it.
 */
export class SessionHomes {
  readonly #ledger: Ledger;
  #identities: Float64Array = new Float64Array(0);
  #members: readonly Endpoint[] = [];

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** To be told when the members change. */
  update(members: readonly Endpoint[]): void {
    this.#members = members;
    this.#identities = Float64Array.from(members, (endpoint) => hashText(endpoint.id));
  }

  /** The slot of the session's home, or -1 when it has none (or none that is well). O(members) for keys. */
  find(work: Work, view: Candidates): number {
    if (work.sessionSlot >= 0) return view.mayServe(work.sessionSlot, work) ? work.sessionSlot : -1;
    if (work.sessionKey === NO_KEY) return -1;
    let home = -1;
    let highest = Number.NEGATIVE_INFINITY;
    let group = 0;
    for (let i = 0; i < this.#members.length; i++) {
      const endpoint = this.#members[i]!;
      // Members stand by priority: a group that can serve keeps its sessions to itself.
      if (home >= 0 && endpoint.spec.priority !== group) break;
      if (!view.mayServe(endpoint.slot, work)) continue;
      group = endpoint.spec.priority;
      // The configured weight: a slow start or a slowdown must not move sessions.
      const weight = this.#ledger.baseWeight[endpoint.slot]!;
      const score = rendezvousScore(work.sessionKey, this.#identities[i]!, weight);
      if (score > highest) {
        highest = score;
        home = endpoint.slot;
      }
    }
    return home;
  }
}
