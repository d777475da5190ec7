import type { Caretaker } from "./caretaker.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lease, Outcome, OutcomeDetail } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import { PENALTY_MS_MAX, PENALTY_MS_MIN, type Speed } from "./speed.ts";

/** What a finished attempt teaches about its endpoint: counters, speed, and whether it should be ejected. */
export class Lessons {
  readonly #ledger: Ledger;
  readonly #speed: Speed;
  readonly #caretaker: Caretaker;
  /** Failures may eject. */
  judges = true;

  constructor(ledger: Ledger, speed: Speed, caretaker: Caretaker) {
    this.#ledger = ledger;
    this.#speed = speed;
    this.#caretaker = caretaker;
  }

  /** The first byte came. */
  started(lease: Lease, nowMs: number): void {
    lease.firstByteMs = nowMs - lease.bookedAtMs;
    if (this.#ledger.generation[lease.slot] !== lease.generation) return;
    this.#speed.observe(lease.slot, lease.firstByteMs / lease.units, nowMs);
  }

  /** The attempt has ended; only for leases whose slot is still theirs. */
  settled(lease: Lease, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    const { slot, endpoint } = lease;
    switch (outcome) {
      case "ok":
        return this.#succeeded(lease, nowMs);
      case "client_abort":
        this.#ledger.aborts[slot]! += 1;
        return this.#aborted(lease, nowMs);
      case "cancelled":
        return;
      case "backend_overload":
        return this.#penalise(lease, detail, nowMs);
      case "timeout":
      case "backend_error":
        this.#penalise(lease, detail, nowMs);
        if (this.judges) this.#judge(endpoint!, outcome, detail, nowMs);
    }
  }

  #succeeded(lease: Lease, nowMs: number): void {
    this.#ledger.successes[lease.slot]! += 1;
    if (lease.firstByteMs < 0) this.started(lease, nowMs);
    const endpoint = lease.endpoint!;
    if (endpoint.health.outlier.succeeded(nowMs)) this.#caretaker.readmit(endpoint, nowMs);
  }

  /** After the first byte an abort says nothing; before it, "at least this long". */
  #aborted(lease: Lease, nowMs: number): void {
    if (lease.firstByteMs >= 0) return;
    const waitedMs = (nowMs - lease.bookedAtMs) / lease.units;
    this.#speed.observeAtLeast(lease.slot, waitedMs, lease.bookedAtMs, nowMs);
  }

  /** A failure counts as slow work, however fast it came (P3). Source: linkerd2-proxy's load biaser. */
  #penalise(lease: Lease, detail: OutcomeDetail, nowMs: number): void {
    const { slot } = lease;
    this.#ledger.failures[slot]! += 1;
    const askedMs = Math.min(detail.retryAfterMs, PENALTY_MS_MAX);
    const penaltyMs = Math.max(nowMs - lease.bookedAtMs, PENALTY_MS_MIN, askedMs);
    this.#speed.observeFailure(slot, penaltyMs, nowMs);
    const burden = this.#ledger.burden[slot]! + penaltyMs / PENALTY_MS_MIN;
    this.#ledger.burden[slot] = Math.min(burden, BURDEN_MAX);
  }

  #judge(endpoint: Endpoint, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    const { outlier } = endpoint.health;
    const reason = outlier.failed(detail.isUnreachable);
    if (reason === null) return;
    const row = `${outlier.consecutive} in a row (${outcome})`;
    const evidence = `${row}, ${outlier.failuresOf} of the last ${outlier.options.of}`;
    this.#caretaker.eject(endpoint, reason, evidence, nowMs);
  }
}

const BURDEN_MAX = 10_000;
