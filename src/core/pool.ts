import { RetryAfter } from "./admission/retry-after.ts";
import type { Waiter, WaitQueue } from "./admission/wait-queue.ts";
import { WaitingRoom } from "./admission/waiting-room.ts";
import { Caretaker, OUTLIER_OFF, TEND_MS } from "./caretaker.ts";
import { Chooser } from "./chooser.ts";
import type { Decision, RefuseReason } from "./decision.ts";
import type { Endpoint, EndpointSpec } from "./endpoint.ts";
import type { PoolEventKind, PoolEventSink } from "./events.ts";
import type { Wish } from "./health/endpoint-health.ts";
import type { ProbeEvent } from "./health/probe-state.ts";
import type { Clock } from "./kit/clock.ts";
import type { Random } from "./kit/random.ts";
import { Lease, type LeaseBook, type Outcome, type OutcomeDetail } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import { Lessons } from "./lessons.ts";
import { Members } from "./members.ts";
import type { Policy } from "./policies/policy.ts";
import type { PoolOptions } from "./pool-options.ts";
import { Speed } from "./speed.ts";
import type { Work } from "./work.ts";

/**
 * Endpoints that can do the same work, and the one place that gives work to them: membership, candidates,
 * admission, pick, lease. Every pick books at once, so that the next one sees it; every lease settles once,
 * in `leaseSettled`.
 */
export class Pool implements LeaseBook {
  readonly name: string;
  readonly ledger: Ledger;
  readonly members: Members;
  readonly #clock: Clock;
  readonly #speed: Speed;
  readonly #chooser: Chooser;
  readonly #caretaker: Caretaker;
  readonly #lessons: Lessons;
  readonly #waiting: WaitingRoom;
  readonly #retryAfter: RetryAfter = new RetryAfter();
  readonly #onEvent: PoolEventSink;
  #options: PoolOptions;
  #tendAtMs = Number.NEGATIVE_INFINITY;
  #hasStarted = false;

  constructor(setup: PoolSetup) {
    this.name = setup.name;
    this.ledger = setup.ledger;
    this.#clock = setup.clock;
    this.#options = setup.options;
    this.#onEvent = setup.onEvent ?? ((): void => {});
    this.members = new Members(setup.ledger, setup.random);
    this.#speed = new Speed(setup.ledger);
    this.#chooser = new Chooser(setup.ledger, this.members, setup.policy);
    const report = this.#report.bind(this);
    this.#caretaker = new Caretaker(setup.ledger, this.members, this.#speed, setup.options, report);
    this.#lessons = new Lessons(setup.ledger, this.#speed, this.#caretaker);
    this.#waiting = new WaitingRoom(this.#chooser, {
      send: (slot, work, lease, nowMs) => this.#send(slot, work, lease, nowMs),
      refuse: (reason, nowMs) => this.#refuse(reason, nowMs),
    });
    this.configure(setup.options, null);
  }

  /** Who waits for room. */
  get queue(): WaitQueue {
    return this.#waiting.queue;
  }

  get isPanic(): boolean {
    return this.#caretaker.isPanic;
  }

  get options(): PoolOptions {
    return this.#options;
  }

  /** Median first-byte milliseconds of the members; NaN while unknown. */
  get typicalMs(): number {
    return this.#speed.medianMs;
  }

  /**
   * Makes these the members, by a diff; ids must be unique. The first call is the start: no slow start then.
   */
  update(specs: readonly EndpointSpec[]): void {
    const nowMs = this.#clock.nowMs();
    const change = this.members.update(specs, this.#options.outlier ?? OUTLIER_OFF);
    for (const endpoint of change.added) {
      this.#chooser.joined(endpoint.slot, endpoint.id);
      this.#speed.forget(endpoint.slot);
      if (this.#hasStarted) this.#caretaker.beginRamp(endpoint, nowMs);
      this.#report("joined", endpoint, "added", endpoint.spec.address);
    }
    for (const endpoint of change.removed) this.#report("left", endpoint, "removed", endpoint.spec.address);
    this.#chooser.membersChanged();
    this.#hasStarted = true;
    // Not only published: the new ones are to be rated by their peers before the next pick (P1).
    this.tend(nowMs);
  }

  /** For good: no members, and whoever waits is refused. */
  close(): void {
    this.update([]);
    this.#waiting.refuse("no_endpoint", Number.POSITIVE_INFINITY, this.#clock.nowMs());
  }

  /** New rules for the same endpoints; `policy` null keeps the policy and what it remembers. */
  configure(options: PoolOptions, policy: Policy | null): void {
    this.#options = options;
    this.#chooser.spillsWhenFull = options.failover === "full";
    this.#chooser.waitsForHome = options.sessionWhenFull === "wait";
    this.#caretaker.configure(options);
    this.#lessons.judges = options.outlier !== null;
    if (options.queue !== null) this.queue.limitWait(options.queue.waitMs);
    if (policy !== null) this.#chooser.policy = policy;
  }

  /**
   * Chooses an endpoint for `work` and books it in `lease`. Without a `waiter` there is no waiting: full is
   * refused. With one, and a queue, the answer may be `wait`; the waiter is told later, once.
   */
  pick(work: Work, lease: Lease = new Lease(), waiter: Waiter | null = null): Decision {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#tendAtMs) this.tend(nowMs);
    const slot = this.#chooser.choose(work, nowMs);
    const mustStandBehind = waiter !== null && this.#waiting.mustStandBehind;
    if (slot >= 0 && !mustStandBehind) return this.#send(slot, work, lease, nowMs);
    const why = slot >= 0 ? "saturated" : this.#chooser.whyNone();
    if (why !== "saturated" || waiter === null) return this.#refuse(why, nowMs);
    const { queue } = this.#options;
    if (queue === null) return this.#refuse("saturated", nowMs);
    return this.#waiting.admit(work, lease, waiter, queue, nowMs);
  }

  /** Somebody could take the work now; asks without booking. */
  canPick(work: Work): boolean {
    return this.#chooser.canChoose(work, this.#clock.nowMs());
  }

  /** Somebody could take the work, now or (where there is a queue) when there is room. */
  canQueue(work: Work): boolean {
    if (this.#options.queue === null) return this.canPick(work);
    return this.#chooser.mayWait(work, this.#clock.nowMs());
  }

  /** The work no longer waits (its client has gone); false when it did not. */
  leaveQueue(lease: Lease): boolean {
    return this.queue.length > 0 && this.queue.removeLease(lease);
  }

  /** What time brings: ends of ejections, ramps, waits that are over. Cheap to call too often. */
  tend(nowMs: number = this.#clock.nowMs()): void {
    this.#tendAtMs = nowMs + TEND_MS;
    this.#caretaker.tend(nowMs);
    this.#waiting.refuse("queue_timeout", nowMs, nowMs);
    this.#waiting.serve(nowMs);
  }

  /** Probes have ended: what they said counts no more. */
  forgetProbes(): void {
    for (const { health } of this.members.list) health.probe = { kind: "unknown" };
    this.#changed(this.#clock.nowMs());
  }

  /** A probe's result; `id` unknown is ignored (it left meanwhile). */
  probed(id: string, event: ProbeEvent): void {
    const endpoint = this.members.get(id);
    if (endpoint === undefined) return;
    const nowMs = this.#clock.nowMs();
    const { health } = endpoint;
    const hasChanged = health.probed(event, this.#options.probes);
    if (event.passed && health.probe.kind === "up") this.#caretaker.shortenEjection(endpoint, nowMs);
    if (hasChanged) {
      const isUp = health.probe.kind === "up";
      if (isUp) this.#caretaker.beginRamp(endpoint, nowMs);
      const { rise, fall } = this.#options.probes;
      this.#report(
        isUp ? "probe_up" : "probe_down",
        endpoint,
        event.passed ? "probes pass" : event.detail,
        isUp ? `${rise} in a row` : `${fall} in a row, or the first`,
      );
    }
    this.#changed(nowMs);
  }

  /** An operator's wish for one endpoint; false when there is no such endpoint. */
  wish(id: string, wish: Wish): boolean {
    const endpoint = this.members.get(id);
    if (endpoint === undefined) return false;
    if (endpoint.health.operator !== wish) {
      endpoint.health.operator = wish;
      this.#report(wish === "ready" ? "undrained" : "drained", endpoint, `operator: ${wish}`, "");
    }
    this.#changed(this.#clock.nowMs());
    return true;
  }

  /** To be called when weight, limit or agent state of a member were changed from outside. */
  changed(): void {
    this.#changed(this.#clock.nowMs());
  }

  /** What the endpoint's agent asks for. */
  agentSaid(id: string, wish: Wish, share: number): void {
    const endpoint = this.members.get(id);
    if (endpoint === undefined) return;
    const { health } = endpoint;
    if (health.agent !== wish || health.agentShare !== share) {
      health.agent = wish;
      health.agentShare = share;
      this.#report("agent", endpoint, `its agent says ${wish}`, `${Math.round(share * 100)} % weight`);
    }
    this.#changed(this.#clock.nowMs());
  }

  /** What the endpoint reports of itself, 0..1 each; NaN leaves a figure unknown. */
  reported(endpoint: Endpoint, cpu: number, memory: number, gpu: number): void {
    const { slot } = endpoint;
    this.ledger.cpu[slot] = cpu;
    this.ledger.memory[slot] = memory;
    this.ledger.gpu[slot] = gpu;
    this.ledger.reportedAtMs[slot] = this.#clock.nowMs();
  }

  leaseStarted(lease: Lease): void {
    this.#lessons.started(lease, this.#clock.nowMs());
  }

  leaseProgressed(lease: Lease, units: number): void {
    this.ledger.workOff(lease.slot, lease.generation, units);
  }

  /** The one place where an attempt ends. */
  leaseSettled(lease: Lease, outcome: Outcome, detail: OutcomeDetail): void {
    const nowMs = this.#clock.nowMs();
    this.#retryAfter.ended(nowMs);
    if (lease.why === "trial") lease.endpoint!.health.outlier.endTrial(lease.bookedAtMs);
    if (this.ledger.unbook(lease.slot, lease.generation, lease.units)) {
      this.#lessons.settled(lease, outcome, detail, nowMs);
    }
    this.#waiting.serve(nowMs);
  }

  #send(slot: number, work: Work, lease: Lease, nowMs: number): Decision {
    const endpoint = this.members.at(slot);
    // Before the booking: a lease that is open already throws, and nothing may stay booked then.
    lease.open(this, endpoint, work.units, nowMs, this.#chooser.why);
    this.ledger.book(slot, work.units);
    if (lease.why === "trial") endpoint.health.outlier.isTrying = true;
    return lease;
  }

  #changed(nowMs: number): void {
    this.#caretaker.publish(nowMs);
    this.#waiting.serve(nowMs);
  }

  #refuse(reason: RefuseReason, nowMs: number): Decision {
    return { kind: "refuse", reason, retryAfterMs: this.#retryAfter.estimateMs(this.queue.length, nowMs) };
  }

  #report(kind: PoolEventKind, endpoint: Endpoint | null, reason: string, evidence: string): void {
    const atMs = this.#clock.nowMs();
    this.#onEvent({ atMs, pool: this.name, endpoint: endpoint?.id ?? null, kind, reason, evidence });
  }
}

/** What a pool is made of. */
export interface PoolSetup {
  readonly name: string;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: Policy;
  readonly options: PoolOptions;
  readonly onEvent?: PoolEventSink;
}
