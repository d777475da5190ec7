import { Caretaker, OUTLIER_OFF } from "./caretaker.ts";
import type { Witness } from "./desk-setup.ts";
import { Desk } from "./desk.ts";
import type { Endpoint, EndpointSpec } from "./endpoint.ts";
import type { PoolEventKind, PoolEventSink } from "./events.ts";
import type { Wish } from "./health/endpoint-health.ts";
import type { ProbeEvent } from "./health/probe-state.ts";
import type { Clock } from "./kit/clock.ts";
import type { Random } from "./kit/random.ts";
import type { Ledger } from "./ledger.ts";
import { Lessons } from "./lessons.ts";
import { Members } from "./members.ts";
import type { Policy, PolicyMemory } from "./policies/policy.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { Turnstile } from "./sharing/turnstile.ts";
import { Speed } from "./speed.ts";

/**
 * Endpoints that can do the same work: who they are, how they are, and (as a {@link Desk}) the one place that
 * gives work to them. Where data threads give the work, each at a desk of its own, what they see comes here.
 */
export class Pool extends Desk {
  readonly members: Members;
  readonly #speed: Speed;
  readonly #caretaker: Caretaker;
  readonly #lessons: Lessons;
  readonly #turnstile: Turnstile | undefined;
  readonly #onEvent: PoolEventSink;
  #options: PoolOptions;
  #hasStarted = false;

  constructor(setup: PoolSetup) {
    const { name, ledger, clock, policy, options, turnstile } = setup;
    const members = new Members(ledger, setup.random);
    super({ name, ledger, clock, policy, options, turnstile, roster: members, witness: UNTOLD });
    this.#options = options;
    this.#turnstile = turnstile;
    this.#onEvent = setup.onEvent ?? ((): void => {});
    this.members = members;
    this.#speed = new Speed(ledger);
    this.#caretaker = new Caretaker(ledger, members, this.#speed, options, this.#report.bind(this));
    this.#lessons = new Lessons(ledger, members, this.#speed, this.#caretaker, policy);
    this.witness = this.#lessons;
    this.configure(options, null);
  }

  get isPanic(): boolean {
    return this.#caretaker.isPanic;
  }

  get options(): PoolOptions {
    return this.#options;
  }

  /** What its policy has in common with those of other threads, if anything. */
  get policyMemory(): PolicyMemory | undefined {
    return this.chooser.policy.memory;
  }

  /** Median first-byte milliseconds of the members; NaN while unknown. */
  get typicalMs(): number {
    return this.#speed.medianMs;
  }

  /**
   * Makes these the members, by a diff; ids must be unique. The first call is the start: no slow start then.
   */
  update(specs: readonly EndpointSpec[]): void {
    const nowMs = this.clock.nowMs();
    // Those that leave with requests still running are to find their counts again.
    this.ledger.refresh(this.members.slots);
    const change = this.members.update(specs, this.#options.outlier ?? OUTLIER_OFF);
    for (const endpoint of change.added) {
      this.joined(endpoint);
      this.#speed.forget(endpoint.slot);
      if (this.#hasStarted) this.#caretaker.beginRamp(endpoint, nowMs);
      this.#report("joined", endpoint, "added", endpoint.spec.address);
    }
    for (const endpoint of change.removed) this.#report("left", endpoint, "removed", endpoint.spec.address);
    this.chooser.membersChanged();
    this.#hasStarted = true;
    // Not only published: the new ones are to be rated by their peers before the next pick (P1).
    this.tend(nowMs);
  }

  /** For good: no members, and whoever waits is refused. */
  close(): void {
    this.update([]);
    this.dismiss("no_endpoint");
  }

  /** New rules for the same endpoints; `policy` null keeps the policy and what it remembers. */
  configure(options: PoolOptions, policy: Policy | null): void {
    this.#options = options;
    this.configureDesk(options, policy);
    this.#lessons.policy = this.chooser.policy;
    this.#caretaker.configure(options);
    this.#lessons.judges = options.outlier !== null;
  }

  /** Where other threads give the work: what happened to one of their leases. */
  get learner(): Lessons {
    return this.#lessons;
  }

  /** What time brings: ends of ejections, ramps, waits that are over. Cheap to call too often. */
  override tend(nowMs: number = this.clock.nowMs()): void {
    this.ledger.refresh(this.members.slots);
    this.#noteScarcity();
    this.#caretaker.cutsShares = this.chooser.policy.knowsSpeed !== true;
    this.#caretaker.tend(nowMs);
    this.chooser.policy.tended?.(this.members.slots, nowMs);
    this.#turnstile?.changed();
    super.tend(nowMs);
  }

  /** Probes have ended: what they said counts no more. */
  forgetProbes(): void {
    for (const { health } of this.members.list) health.probe = { kind: "unknown" };
    this.#changed(this.clock.nowMs());
  }

  /** A probe's result; `id` unknown is ignored (it left meanwhile). */
  probed(id: string, event: ProbeEvent): void {
    const endpoint = this.members.get(id);
    if (endpoint === undefined) return;
    const nowMs = this.clock.nowMs();
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
      if (wish === "ready") this.#caretaker.beginRamp(endpoint, this.clock.nowMs());
      this.#report(wish === "ready" ? "undrained" : "drained", endpoint, `operator: ${wish}`, "");
    }
    this.#changed(this.clock.nowMs());
    return true;
  }

  /** To be called when weight, limit or agent state of a member were changed from outside. */
  changed(): void {
    this.#changed(this.clock.nowMs());
  }

  /** What the endpoint's agent asks for. */
  agentSaid(id: string, wish: Wish, share: number): void {
    const endpoint = this.members.get(id);
    if (endpoint === undefined) return;
    const { health } = endpoint;
    if (health.agent !== wish || health.agentShare !== share) {
      if (wish === "ready" && health.agent !== "ready") {
        this.#caretaker.beginRamp(endpoint, this.clock.nowMs());
      }
      health.agent = wish;
      health.agentShare = share;
      this.#report("agent", endpoint, `its agent says ${wish}`, `${Math.round(share * 100)} % weight`);
    }
    this.#changed(this.clock.nowMs());
  }

  /** What the endpoint reports of itself, 0..1 each; NaN leaves a figure unknown. */
  reported({ slot }: Endpoint, cpu: number, memory: number, gpu: number): void {
    this.ledger.report(slot, { cpu, memory, gpu, queued: Number.NaN }, this.clock.nowMs());
  }

  /** What other threads told has been learned: more may be chosen than before. */
  hasLearned(): void {
    this.#turnstile?.changed();
    this.serve();
  }

  #changed(nowMs: number): void {
    this.#noteScarcity();
    this.#caretaker.publish(nowMs);
    this.#turnstile?.changed();
    this.waiting.serve(nowMs);
  }

  /** Before the limits are published: whoever sees them chooses in turn. */
  #noteScarcity(): void {
    this.#turnstile?.noteScarcity(this.members.list.some(({ limit }) => limit > 0));
  }

  #report(kind: PoolEventKind, endpoint: Endpoint | null, reason: string, evidence: string): void {
    const atMs = this.clock.nowMs();
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
  /** Absent: no other thread works for this pool. */
  readonly turnstile?: Turnstile;
}

/** Until the lessons are there. */
const UNTOLD: Witness = {
  started: (): void => {},
  established: (): void => {},
  reported: (): void => {},
  settled: (): void => {},
};
