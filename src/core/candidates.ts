// Hot path: one pass over the members a pick; budget 4 ns a member; allocates nothing.
import { STATE, type Ledger } from "./ledger.ts";
import type { PoolView } from "./policies/policy.ts";
import type { Roster } from "./roster.ts";
import type { Work } from "./work.ts";

/**
 * Who may be picked for a piece of work: the members that are well, not full, not tried, of the first
 * priority group that can serve, and with the labels that the work asks for. Policies see only these.
 */
export class Candidates implements PoolView {
  readonly ledger: Ledger;
  readonly #roster: Roster;
  candidates: Int32Array = new Int32Array(0);
  count = 0;
  nowMs = 0;
  /** An endpoint on probation, or slow when it was seen last, that waits for a request; -1 when none. */
  trialSlot = -1;
  /** How many have room but asked to be left alone. */
  #resting = 0;
  /** Why `count` may be 0: members with the labels, of these healthy, of these not tried yet. */
  matching = 0;
  healthy = 0;
  untried = 0;
  /** Of the matching ones: told to take nothing new, by an operator or an agent. */
  draining = 0;
  /** Healthy as far as is known, not tried yet, but on probation: their turn may come. */
  onTrial = 0;
  /** Where a full group passes work on to the next group, instead of letting it wait. */
  spillsWhenFull = false;
  /** Health is ignored: see `health/panic.ts`. */
  isPanic = false;

  constructor(ledger: Ledger, roster: Roster) {
    this.ledger = ledger;
    this.#roster = roster;
  }

  fill(work: Work, nowMs: number): void {
    const { slots, priorities } = this.#roster;
    if (this.candidates.length < slots.length) this.candidates = new Int32Array(slots.length);
    this.ledger.refresh(slots);
    this.nowMs = nowMs;
    this.count = 0;
    this.trialSlot = -1;
    this.matching = 0;
    this.healthy = 0;
    this.draining = 0;
    this.untried = 0;
    this.onTrial = 0;
    this.#resting = 0;
    let group = 0;
    for (let i = 0; i < slots.length; i++) {
      if (priorities[i]! !== group) {
        // A group serves alone as long as it can: failover by health, or by room where so configured.
        if (this.spillsWhenFull ? this.#hasAny : this.untried > 0) break;
        group = priorities[i]!;
      }
      this.#consider(slots[i]!, work);
    }
    if (this.count === 0 && this.#resting > 0) this.#useResting(work);
  }

  get #hasAny(): boolean {
    return this.count > 0 || this.trialSlot >= 0 || this.#resting > 0;
  }

  /** That member could do the work if it had room: it is well, has not failed it, and carries the labels. */
  mayServe(slot: number, work: Work): boolean {
    if (this.ledger.state[slot] !== STATE.available || work.hasTried(slot)) return false;
    return work.labels === null || this.#matches(slot, work.labels);
  }

  #consider(slot: number, work: Work): void {
    const { state, inFlight, limit, restUntilMs, exploreAtMs } = this.ledger;
    if (work.labels !== null && !this.#matches(slot, work.labels)) return;
    this.matching++;
    const is = state[slot]!;
    if (is !== STATE.available && is !== STATE.probation) {
      if (is === STATE.draining) this.draining++;
      return;
    }
    this.healthy++;
    if (work.triedCount > 0 && work.hasTried(slot)) return;
    if (is === STATE.probation) {
      this.onTrial++;
      const hasRoom = inFlight[slot]! < limit[slot]!;
      if (hasRoom && this.trialSlot < 0 && this.#mayTry(slot, work)) this.trialSlot = slot;
      return;
    }
    this.untried++;
    if (inFlight[slot]! >= limit[slot]!) return;
    if (restUntilMs[slot]! > this.nowMs) {
      this.#resting++;
      return;
    }
    if (exploreAtMs[slot]! <= this.nowMs && this.trialSlot < 0 && this.#mayExplore(slot, work)) {
      this.trialSlot = slot;
    }
    this.candidates[this.count++] = slot;
  }

  /** There is nobody else: better an endpoint that is tired than none. */
  #useResting(work: Work): void {
    const { state, inFlight, limit } = this.ledger;
    for (const slot of this.#roster.slots) {
      if (state[slot] !== STATE.available || inFlight[slot]! >= limit[slot]! || work.hasTried(slot)) continue;
      if (work.labels === null || this.#matches(slot, work.labels)) this.candidates[this.count++] = slot;
    }
  }

  /** One request now and then shows whether a slow endpoint is well again: its share alone may be none. */
  #mayExplore(slot: number, work: Work): boolean {
    if (this.ledger.trial[slot] !== 0) return false;
    return work.isReplayable || this.nowMs - this.ledger.exploreAtMs[slot]! >= TRIAL_PATIENCE_MS;
  }

  /** Work that can be sent again elsewhere makes the better trial; after a while anything will do. */
  #mayTry(slot: number, work: Work): boolean {
    const { trial, probationSinceMs } = this.ledger;
    // Streams from before the ejection may still run: they say nothing, and do not stand in the way.
    if (trial[slot] !== 0) return false;
    return work.isReplayable || this.nowMs - probationSinceMs[slot]! >= TRIAL_PATIENCE_MS;
  }

  #matches(slot: number, labels: Readonly<Record<string, string>>): boolean {
    const own = this.#roster.at(slot).spec.labels;
    for (const name in labels) if (own[name] !== labels[name]) return false;
    return true;
  }
}

const TRIAL_PATIENCE_MS = 2_000;
