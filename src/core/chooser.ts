import { SessionHomes } from "./affinity/session.ts";
import { Candidates } from "./candidates.ts";
import type { RefuseReason } from "./decision.ts";
import type { Lease, PickReason } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import type { Policy } from "./policies/policy.ts";
import type { Roster } from "./roster.ts";
import { TRIED_MAX, type Work } from "./work.ts";

/**
 * Chooses a slot: the session's home first, then an endpoint that has to prove itself, then as the policy
 * says.
 */
export class Chooser {
  readonly #ledger: Ledger;
  readonly #roster: Roster;
  readonly #view: Candidates;
  readonly #homes: SessionHomes;
  readonly #thread: number;
  #policy: Policy;
  /** Session work waits for its home when that is full, instead of going elsewhere for once. */
  waitsForHome = false;
  /** Why the last choice was made. */
  why: PickReason = "policy";

  /** `thread`: who takes a trial, as in the ledger. */
  constructor(ledger: Ledger, roster: Roster, policy: Policy, thread = 0) {
    this.#ledger = ledger;
    this.#thread = thread;
    this.#roster = roster;
    this.#policy = policy;
    this.#view = new Candidates(ledger, roster);
    this.#homes = new SessionHomes(ledger);
  }

  /** A full priority group passes work on to the next group. */
  set spillsWhenFull(spills: boolean) {
    this.#view.spillsWhenFull = spills;
  }

  set policy(policy: Policy) {
    this.#policy = policy;
    for (const endpoint of this.#roster.list) policy.joined?.(endpoint.slot, endpoint.id);
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** The work goes there: what that means for the books, if the policy knows. */
  placed(work: Work, lease: Lease): void {
    this.#policy.placed?.(this.#view, work, lease);
  }

  joined(slot: number, id: string): void {
    this.#policy.joined?.(slot, id);
  }

  /** To be told when the members have changed. */
  membersChanged(): void {
    this.#homes.update(this.#roster.list);
  }

  /** The slot for this work, or -1. Books nothing; but where it is for a trial, that is taken. */
  choose(work: Work, nowMs: number): number {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const slot = this.#choose(work, nowMs);
      if (slot < 0 || this.why !== "trial") return slot;
      // One trial at a time, whoever comes first.
      if (Atomics.compareExchange(this.#ledger.trial, slot, 0, this.#thread + 1) === 0) return slot;
    }
    return -1;
  }

  /** The lease's prompt, which waits for its first byte, would have it clearly sooner elsewhere. */
  isSoonerElsewhere(work: Work, lease: Lease, nowMs: number): boolean {
    if (work.triedCount === TRIED_MAX) return false;
    work.avoid(lease.slot);
    this.#view.fill(work, nowMs);
    work.triedCount--;
    return this.#view.count > 0 && this.#policy.isSooner?.(this.#view, work, lease) === true;
  }

  #choose(work: Work, nowMs: number): number {
    const view = this.#view;
    view.fill(work, nowMs);
    if (work.isMoving) return this.#byPolicy(work);
    if (work.sessionSlot >= 0 || work.sessionKey >= 0) {
      const home = this.#homes.find(work, view);
      this.why = "session";
      if (home >= 0 && this.#ledger.inFlight[home]! < this.#ledger.limit[home]!) return home;
      if (home >= 0 && this.waitsForHome) return -1;
    }
    this.why = "trial";
    if (view.trialSlot >= 0) return view.trialSlot;
    return this.#byPolicy(work);
  }

  #byPolicy(work: Work): number {
    this.why = "policy";
    return this.#view.count === 0 ? -1 : this.#policy.pick(this.#view, work);
  }

  /** Somebody could take the work now. */
  canChoose(work: Work, nowMs: number): boolean {
    this.#view.fill(work, nowMs);
    if (this.waitsForHome && (work.sessionSlot >= 0 || work.sessionKey >= 0)) {
      const home = this.#homes.find(work, this.#view);
      if (home >= 0) return this.#ledger.inFlight[home]! < this.#ledger.limit[home]!;
    }
    return this.#view.count > 0 || this.#view.trialSlot >= 0;
  }

  /** Somebody could take the work, now or when there is room. */
  mayWait(work: Work, nowMs: number): boolean {
    this.#view.fill(work, nowMs);
    return this.#view.untried + this.#view.onTrial > 0;
  }

  /** After a choice: nobody at all has room, so that others need not be tried either. */
  get isFull(): boolean {
    return this.#view.count === 0 && this.#view.trialSlot < 0;
  }

  /** Why the last choice found nobody. */
  whyNone(): RefuseReason {
    const view = this.#view;
    if (view.matching === 0) return "no_endpoint";
    if (view.healthy === 0) return view.draining === view.matching ? "all_drained" : "all_down";
    return view.untried + view.onTrial === 0 ? "all_tried" : "saturated";
  }
}

/** Endpoints whose trial another thread takes at the same moment. */
const TRIES_MAX = 8;
