import type { Caretaker } from "./caretaker.ts";
import type { Witness } from "./desk-setup.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LeaseFacts, Outcome, OutcomeDetail } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import type { Policy } from "./policies/policy.ts";
import type { Roster } from "./roster.ts";
import { PENALTY_MS_MAX, PENALTY_MS_MIN, type Speed } from "./speed.ts";
import type { Vitals } from "./vitals.ts";

/** What attempts teach about their endpoints: counters, speed, and whether one should be ejected. */
export class Lessons implements Witness {
  readonly #ledger: Ledger;
  readonly #roster: Roster;
  readonly #speed: Speed;
  readonly #caretaker: Caretaker;
  /** Failures may eject. */
  judges = true;
  /** It learns too, where it wants to. */
  policy: Policy;

  constructor(ledger: Ledger, roster: Roster, speed: Speed, caretaker: Caretaker, policy: Policy) {
    this.#ledger = ledger;
    this.#roster = roster;
    this.#speed = speed;
    this.#caretaker = caretaker;
    this.policy = policy;
  }

  /** The first byte came. */
  started(lease: LeaseFacts, nowMs: number): void {
    if (this.#ledger.generation[lease.slot] !== lease.generation) return;
    this.#speed.observe(lease.slot, lease.firstByteMs / lease.scale, nowMs);
    this.#heard(lease.slot, nowMs);
    if (lease.isPrompt) this.policy.began?.(lease, nowMs);
  }

  /** The work stands: a success for health, before its end. */
  established(lease: LeaseFacts, nowMs: number): void {
    if (this.#ledger.generation[lease.slot] !== lease.generation) return;
    if (lease.why === "trial") this.#endTrial(lease, nowMs);
    this.#isWell(lease, nowMs);
  }

  reported({ slot, generation }: LeaseFacts, vitals: Vitals, nowMs: number): void {
    if (this.#ledger.generation[slot] === generation) this.#ledger.report(slot, vitals, nowMs);
  }

  /** The attempt has ended; one whose slot is another's by now teaches nothing. */
  settled(lease: LeaseFacts, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    const { slot, generation } = lease;
    if (this.#ledger.generation[slot] !== generation) return;
    if (lease.why === "trial") this.#endTrial(lease, nowMs);
    if (lease.isPrompt) this.policy.ended?.(lease, outcome, nowMs);
    switch (outcome) {
      case "ok":
        return this.#succeeded(lease, nowMs);
      case "client_abort":
        this.#ledger.aborts[slot]! += 1;
        return this.#aborted(lease, nowMs);
      case "late":
        return this.#late(lease, nowMs);
      case "cancelled":
        return;
      case "backend_overload":
        return this.#penalise(lease, detail, nowMs);
      case "timeout":
      case "backend_error":
        this.#penalise(lease, detail, nowMs);
        if (this.judges) this.#judge(lease, outcome, detail, nowMs);
    }
  }

  /** A trial of an earlier probation does not end the present one. */
  #endTrial({ slot, bookedAtMs }: LeaseFacts, nowMs: number): void {
    const { trial, probationSinceMs } = this.#ledger;
    if (bookedAtMs < probationSinceMs[slot]!) return;
    trial[slot] = 0;
    this.#caretaker.explored(slot, nowMs);
  }

  #succeeded(lease: LeaseFacts, nowMs: number): void {
    this.#ledger.successes[lease.slot]! += 1;
    if (!lease.isEstablished) this.#isWell(lease, nowMs);
  }

  #isWell(lease: LeaseFacts, nowMs: number): void {
    const endpoint = this.#endpointOf(lease);
    if (endpoint === undefined || this.#isFromBefore(lease, endpoint)) return;
    if (endpoint.health.outlier.succeeded(nowMs)) this.#caretaker.readmit(endpoint, nowMs);
  }

  /** It began before the ejection: neither its success nor its failure says how the endpoint is now. */
  #isFromBefore({ bookedAtMs }: LeaseFacts, { health }: Endpoint): boolean {
    return health.outlier.kind !== "admitted" && bookedAtMs < health.outlier.sinceMs;
  }

  /** None when it has left with this request still running. */
  #endpointOf({ slot, generation }: LeaseFacts): Endpoint | undefined {
    return this.#roster.find(slot, generation);
  }

  /** After the first byte an abort says nothing; before it, "at least this long". */
  #aborted(lease: LeaseFacts, nowMs: number): void {
    if (lease.firstByteMs >= 0) return;
    const waitedMs = (nowMs - lease.bookedAtMs) / lease.scale;
    this.#speed.observeAtLeast(lease.slot, waitedMs, lease.bookedAtMs, nowMs);
  }

  /**
   * As the work of one that hangs leaves it, it looks idle, and would get the next prompts at once. It is
   * left alone for a while that grows with its silence, as long as there are others.
   */
  #late(lease: LeaseFacts, nowMs: number): void {
    const { heardAtMs, silentSinceMs, restUntilMs } = this.#ledger;
    const { slot, bookedAtMs } = lease;
    const sinceMs = Math.min(silentSinceMs[slot]!, Math.max(heardAtMs[slot]!, bookedAtMs));
    silentSinceMs[slot] = sinceMs;
    const restMs = Math.min((nowMs - sinceMs) * REST_TIMES, PENALTY_MS_MAX);
    restUntilMs[slot] = Math.max(restUntilMs[slot]!, nowMs + restMs);
    this.#aborted(lease, nowMs);
  }

  /** It is silent no more. */
  #heard(slot: number, nowMs: number): void {
    const { heardAtMs, silentSinceMs, restUntilMs } = this.#ledger;
    heardAtMs[slot] = nowMs;
    if (silentSinceMs[slot] === Number.POSITIVE_INFINITY) return;
    silentSinceMs[slot] = Number.POSITIVE_INFINITY;
    restUntilMs[slot] = nowMs;
  }

  /** A failure counts as slow work, however fast it came (P3). Source: linkerd2-proxy's load biaser. */
  #penalise(lease: LeaseFacts, detail: OutcomeDetail, nowMs: number): void {
    const { slot } = lease;
    this.#ledger.failures[slot]! += 1;
    const askedMs = Math.min(detail.retryAfterMs, PENALTY_MS_MAX);
    if (askedMs > 0) this.#ledger.restUntilMs[slot] = nowMs + askedMs;
    const tookMs = lease.isEstablished ? lease.firstByteMs : nowMs - lease.bookedAtMs;
    const penaltyMs = Math.max(tookMs, PENALTY_MS_MIN, askedMs);
    this.#speed.observeFailure(slot, penaltyMs, nowMs);
    const burden = this.#ledger.burden[slot]! + penaltyMs / PENALTY_MS_MIN;
    this.#ledger.burden[slot] = Math.min(burden, BURDEN_MAX);
  }

  #judge(lease: LeaseFacts, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    const endpoint = this.#endpointOf(lease);
    if (endpoint === undefined) return;
    const { outlier } = endpoint.health;
    if (!detail.isUnreachable && this.#isFromBefore(lease, endpoint)) return;
    const reason = outlier.failed(detail.isUnreachable);
    if (reason === null) return;
    const what = detail.cause === undefined || detail.cause === "" ? outcome : `${outcome}: ${detail.cause}`;
    const row = `${outlier.consecutive} in a row (${what})`;
    const evidence = `${row}, ${outlier.failuresOf} of the last ${outlier.options.of}`;
    this.#caretaker.eject(endpoint, reason, evidence, nowMs);
  }
}

const BURDEN_MAX = 10_000;
/** So many times its silence, so that finding out about one that hangs costs few prompts. */
const REST_TIMES = 4;
