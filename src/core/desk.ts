import { RetryAfter } from "./admission/retry-after.ts";
import type { Waiter, WaitQueue } from "./admission/wait-queue.ts";
import { WaitingRoom } from "./admission/waiting-room.ts";
import { Chooser } from "./chooser.ts";
import { type Decision, type RefuseReason, WAIT_SATURATED } from "./decision.ts";
import type { DeskOptions, DeskSetup, Witness } from "./desk-setup.ts";
import type { Endpoint } from "./endpoint.ts";
import type { GuestDesk, GuestLine } from "./handover/guest-line.ts";
import type { Claim } from "./handover/messages.ts";
import type { Weighing } from "./inference/weighing.ts";
import type { Clock } from "./kit/clock.ts";
import { Lease, type LeaseBook, type Outcome, type OutcomeDetail, type PickReason } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import type { Policy } from "./policies/policy.ts";
import { PromptHolds } from "./prompt-holds.ts";
import type { Roster } from "./roster.ts";
import { OpenTurnstile, type Turnstile } from "./sharing/turnstile.ts";
import type { Vitals } from "./vitals.ts";
import type { Work } from "./work.ts";

/**
 * Where work is given to the endpoints of one pool: candidates, choice, booking, queue. Every data thread has
 * a desk of its own for each pool; they share the ledger, and the turnstile keeps their queues in one order.
 * Every pick books at once, so that the next one sees it; every lease settles once, in `leaseSettled`.
 */
export class Desk implements LeaseBook, GuestDesk {
  readonly name: string;
  readonly ledger: Ledger;
  readonly roster: Roster;
  protected readonly clock: Clock;
  protected readonly chooser: Chooser;
  protected readonly waiting: WaitingRoom;
  /** Who learns from what happens to the leases. */
  protected witness: Witness;
  readonly #turnstile: Turnstile;
  readonly #retryAfter: RetryAfter;
  readonly #holds: PromptHolds;
  #options: DeskOptions;
  /** Who decides in this desk's stead; null: nobody does. */
  #guest: GuestLine | null = null;
  #tendAtMs = Number.NEGATIVE_INFINITY;

  constructor(setup: DeskSetup) {
    const { name, ledger, roster, clock, policy, options, turnstile, thread = 0, threads = 1 } = setup;
    this.name = name;
    this.ledger = ledger;
    this.roster = roster;
    this.clock = clock;
    this.witness = setup.witness;
    this.#options = options;
    this.#turnstile = turnstile ?? new OpenTurnstile();
    this.#retryAfter = new RetryAfter(threads);
    this.#holds = new PromptHolds(ledger);
    this.chooser = new Chooser(ledger, roster, policy, thread);
    this.waiting = new WaitingRoom(this.#turnstile, {
      choose: (work, nowMs) => this.chooser.choose(work, nowMs),
      canChoose: (work, nowMs) => this.chooser.canChoose(work, nowMs),
      isFull: () => this.chooser.isFull,
      send: (slot, work, lease, nowMs) => this.#send(slot, work, lease, nowMs),
      refuse: (reason, nowMs) => this.refusal(reason, nowMs),
    });
    this.configureDesk(options, null);
  }

  /** Bytes of a prompt's JSON for a token; undefined where the policy does not look at prompts. */
  get bytesPerToken(): number | undefined {
    return this.chooser.policy.bytesPerToken;
  }

  /** What was weighed for the prompt that was placed last; undefined where the policy does not weigh them. */
  get weighing(): Weighing | undefined {
    return this.chooser.policy.weighing;
  }

  /** Who waits for room, in this thread. */
  get queue(): WaitQueue {
    return this.waiting.queue;
  }

  /** Work that waits, in all threads. */
  get waitingCount(): number {
    return this.#turnstile.length;
  }

  /** Since when the longest wait lasts, in all threads; clock milliseconds, Infinity when nobody waits. */
  get waitingSinceMs(): number {
    return this.#turnstile.oldestSinceMs;
  }

  /** New rules for the same endpoints; `policy` null keeps the policy and what it remembers. */
  configureDesk(options: DeskOptions, policy: Policy | null): void {
    this.#options = options;
    this.chooser.spillsWhenFull = options.failover === "full";
    this.chooser.waitsForHome = options.sessionWhenFull === "wait";
    if (options.queue !== null) this.queue.limitWait(options.queue.waitMs);
    if (policy !== null) this.chooser.policy = policy;
  }

  /** The endpoint is new in the roster, or will be: nothing is known of its slot. */
  joined({ slot, id }: Endpoint): void {
    this.chooser.joined(slot, id);
  }

  /** The roster has changed. */
  rosterChanged(): void {
    this.chooser.membersChanged();
    this.#turnstile.changed();
    this.waiting.serve(this.clock.nowMs());
  }

  /**
   * Chooses an endpoint for `work` and books it in `lease`. Without a `waiter` there is no waiting: full is
   * refused. With one, and a queue, the answer may be `wait`; the waiter is told later, once.
   */
  pick(work: Work, lease: Lease = new Lease(), waiter: Waiter | null = null): Decision {
    const nowMs = this.clock.nowMs();
    if (nowMs >= this.#tendAtMs) this.tend(nowMs);
    if (this.#guest !== null) return this.#ask(this.#guest, work, lease, waiter, nowMs);
    const turnstile = this.#turnstile;
    if (!turnstile.isNeeded) {
      const mustStandBehind = this.waiting.mustStandBehind(work, waiter, turnstile.look());
      const slot = mustStandBehind ? -1 : this.chooser.choose(work, nowMs);
      if (slot >= 0) return this.#send(slot, work, lease, nowMs);
    }
    if (!turnstile.enter()) return this.refusal("saturated", nowMs);
    const look = turnstile.look();
    let decision: Decision;
    try {
      decision = this.#pickInOrder(work, lease, waiter, look, nowMs);
    } finally {
      turnstile.leave();
    }
    if (decision.kind === "wait") this.waiting.lookAgain(look);
    return decision;
  }

  /** Somebody could take the work now; asks without booking. */
  canPick(work: Work): boolean {
    return this.chooser.canChoose(work, this.clock.nowMs());
  }

  /** Somebody could take the work, now or (where there is a queue) when there is room. */
  canQueue(work: Work): boolean {
    if (this.#options.queue === null) return this.canPick(work);
    return this.chooser.mayWait(work, this.clock.nowMs());
  }

  /**
   * The open lease's prompt waits for its first byte, later than was forecast: somebody else would bring it
   * clearly sooner, as things are now. Asks without booking. Never while another process decides.
   */
  isSoonerElsewhere(work: Work, lease: Lease): boolean {
    return this.#guest === null && this.chooser.isSoonerElsewhere(work, lease, this.clock.nowMs());
  }

  /** The work no longer waits (its client has gone); false when it did not. */
  leaveQueue(lease: Lease): boolean {
    return this.waiting.leave(lease) || (this.#guest !== null && this.#guest.leave(lease));
  }

  /** What time brings: waits that are over. Cheap to call too often. */
  tend(nowMs: number = this.clock.nowMs()): void {
    this.#tendAtMs = nowMs + TEND_MS;
    this.#guest?.tend(this, nowMs);
    this.#holds.tend(nowMs);
    this.waiting.refuse("queue_timeout", nowMs, nowMs);
    this.waiting.serve(nowMs);
  }

  /** Whoever waits may be served: another thread has called, or something has changed. */
  serve(): void {
    this.waiting.serve(this.clock.nowMs());
  }

  /** Whoever waits is refused. */
  dismiss(reason: RefuseReason): void {
    this.waiting.refuse(reason, Number.POSITIVE_INFINITY, this.clock.nowMs());
  }

  leaseStarted(lease: Lease): void {
    const nowMs = this.clock.nowMs();
    lease.firstByteMs = nowMs - lease.bookedAtMs;
    this.witness.started(lease, nowMs);
    if (lease.isPrompt) this.#holds.started(lease);
    this.#guest?.started(lease);
  }

  leaseEstablished(lease: Lease): void {
    const nowMs = this.clock.nowMs();
    this.witness.established(lease, nowMs);
    this.#guest?.established(lease);
    // Its endpoint may take more now than the one request of a trial.
    this.#turnstile.changed();
    this.waiting.serve(nowMs);
  }

  leaseReported(lease: Lease, vitals: Vitals): void {
    this.witness.reported(lease, vitals, this.clock.nowMs());
  }

  leaseProgressed(lease: Lease, units: number): void {
    this.ledger.workOff(lease.slot, lease.generation, units);
  }

  /** The one place where an attempt ends. */
  leaseSettled(lease: Lease, outcome: Outcome, detail: OutcomeDetail): void {
    const nowMs = this.clock.nowMs();
    this.#retryAfter.ended(nowMs);
    if (outcome === "ok" && lease.firstByteMs < 0) this.leaseStarted(lease);
    if (lease.isPrompt) this.#holds.ended(lease);
    this.#giveBack(lease);
    this.witness.settled(lease, outcome, detail, nowMs);
    this.#guest?.settled(this.name, lease, outcome, detail);
    this.waiting.serve(nowMs);
  }

  claims(): Claim[] {
    const { own } = this.ledger;
    return this.roster.list.flatMap(({ id, slot }) => {
      const requests = own.inFlight[slot]!;
      const units = own.pendingUnits[slot]!;
      return requests === 0 ? [] : [{ pool: this.name, id, requests, units }];
    });
  }

  /** Another process decides from now on: whoever waits here waits there, in the same order. */
  becomeGuest(line: GuestLine): void {
    this.#guest = line;
    for (const { work, lease, waiter, rank, deadlineMs } of this.waiting.takeAll()) {
      line.ask({ desk: this, work, lease, waiter, rank, deadlineMs });
    }
  }

  standAlone(): void {
    this.#guest = null;
  }

  bookAt(id: string, units: number, lease: Lease, why: PickReason): boolean {
    const endpoint = this.roster.get(id);
    if (endpoint === undefined) return false;
    lease.open(this, endpoint, units, this.clock.nowMs(), why);
    this.ledger.book(endpoint.slot, units);
    return true;
  }

  refusal(reason: RefuseReason, nowMs: number): Decision {
    return { kind: "refuse", reason, retryAfterMs: this.#retryAfter.estimateMs(this.waitingCount, nowMs) };
  }

  #ask(line: GuestLine, work: Work, lease: Lease, waiter: Waiter | null, nowMs: number): Decision {
    if (waiter === null) return this.refusal("saturated", nowMs);
    const deadlineMs = nowMs + (this.#options.queue?.waitMs ?? ANSWER_MS_MAX);
    line.ask({ desk: this, work, lease, waiter, rank: 0, deadlineMs });
    return WAIT_SATURATED;
  }

  /** Nobody may choose between the end of a booking and its being known: he would overtake who waits. */
  #giveBack({ slot, generation, units }: Lease): void {
    const { isNeeded } = this.#turnstile;
    const hasEntered = isNeeded && this.#turnstile.enter();
    this.ledger.unbook(slot, generation, units);
    if (isNeeded) this.#turnstile.changed();
    if (hasEntered) this.#turnstile.leave();
  }

  #pickInOrder(work: Work, lease: Lease, waiter: Waiter | null, look: number, nowMs: number): Decision {
    const mustStandBehind = this.waiting.mustStandBehind(work, waiter, look);
    const slot = mustStandBehind ? -1 : this.chooser.choose(work, nowMs);
    if (slot >= 0) return this.#send(slot, work, lease, nowMs);
    const why = mustStandBehind && this.chooser.mayWait(work, nowMs) ? "saturated" : this.chooser.whyNone();
    const { queue } = this.#options;
    if (why !== "saturated" || waiter === null || queue === null) return this.refusal(why, nowMs);
    return this.waiting.admit(work, lease, waiter, queue, mustStandBehind ? null : look, nowMs);
  }

  #send(slot: number, work: Work, lease: Lease, nowMs: number): Decision {
    const endpoint = this.roster.at(slot);
    // Before the booking: a lease that is open already throws, and nothing may stay booked then.
    lease.open(this, endpoint, work.units, nowMs, this.chooser.why);
    if (work.prompt !== null) {
      this.chooser.placed(work, lease);
      if (lease.isPrompt) this.#holds.opened(lease);
    }
    this.ledger.book(slot, lease.units);
    this.#retryAfter.began(nowMs);
    return lease;
  }
}

/** How often {@link Desk.tend} wants to be called. */
export const TEND_MS = 100;
/** A host answers at once where there is no queue; for so long one is waited for that does not. */
const ANSWER_MS_MAX = 10_000;
