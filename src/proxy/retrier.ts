import type { Desk } from "../core/desk.ts";
import type { Outcome } from "../core/lease.ts";
import { TRIED_MAX, type Work } from "../core/work.ts";
import type { Admission } from "./admit.ts";
import type { Attempt } from "./attempt.ts";
import type { ProxyContext } from "./context.ts";
import type { Interims } from "./interims.ts";
import { type LateOwner, LateWatch } from "./late-watch.ts";
import type { RequestRecord } from "./record.ts";
import type { Relay } from "./relay.ts";
import type { RequestBody } from "./request-body.ts";
import type { PoolTraffic, RetryRules } from "./pool-traffic.ts";
import { backoffMs, decideRetry, MASS_DEATH_MS, type RetryDecision, type RetryFailure } from "./retry.ts";
import type { Verdict } from "./verdict.ts";

/** What the tries of an exchange's requests share. */
export interface RetrierParts {
  readonly context: ProxyContext;
  readonly work: Work;
  readonly body: RequestBody;
  readonly attempt: Attempt;
  readonly relay: Relay;
  readonly interims: Interims;
  readonly record: RequestRecord;
  readonly verdict: Verdict;
  /** Asks the pool for the next backend. */
  readonly pick: () => void;
}

/**
 * The retries of one request after the other: what failed or is late, what is left, who could take it, and
 * the pause before.
 */
export class Retrier implements LateOwner {
  readonly #parts: RetrierParts;
  readonly #watch: LateWatch;
  #redeliveries = 0;
  #pause: NodeJS.Timeout | null = null;

  constructor(parts: RetrierParts) {
    this.#parts = parts;
    this.#watch = new LateWatch(parts.context, parts.work, parts.attempt.lease, this);
  }

  /** A new request. */
  reset(): void {
    this.#redeliveries = 0;
  }

  /** The attempt begins. */
  watch(admission: Admission): void {
    const { retry } = admission.traffic;
    const mayMove = retry !== null && this.#parts.record.attempts < retry.attempts && admission.isReplaySafe;
    this.#watch.begin(admission, mayMove);
  }

  get canMove(): boolean {
    const { body, relay, interims } = this.#parts;
    return body.isDone && body.isKept && !relay.isBegun && !interims.hasPassed;
  }

  /** The first attempt is called off, so that no prompt is computed twice. */
  move(traffic: PoolTraffic, waitedMs: number): void {
    const { work, attempt, record } = this.#parts;
    traffic.stats.moves++;
    record.noteMoved(waitedMs);
    this.#parts.relay.drop();
    work.avoid(attempt.lease.slot);
    attempt.cancel("late");
    work.isMoving = true;
    this.#parts.pick();
    work.isMoving = false;
  }

  /** Gives the failed attempt up and repeats it elsewhere, if that is allowed: nobody has seen it. */
  retries(admission: Admission, failure: RetryFailure, status: number, isUnreachable: boolean): boolean {
    const { interims, relay, record, attempt, verdict } = this.#parts;
    const decision = interims.hasPassed ? "no" : this.#decide(admission, failure, status);
    if (decision === "no") return false;
    relay.drop();
    record.noteFailure(status === 0 ? failure : String(status));
    attempt.cancel(verdict.outcome, verdict.retryAfterMs, isUnreachable);
    if (decision === "redelivery") this.#parts.pick();
    else this.#later(admission.traffic.retry!);
    return true;
  }

  /** There will be no other request. */
  close(): void {
    this.#watch.close();
  }

  /**
   * The endpoint of the open lease has failed; the next pick leaves it out. Counts the retry where there is
   * one.
   */
  #decide({ traffic, isReplaySafe }: Admission, failure: RetryFailure, status: number): RetryDecision {
    const { work, record, body, attempt, context } = this.#parts;
    const { lease, wasSent } = attempt;
    if (work.triedCount === TRIED_MAX) return "no";
    work.avoid(lease.slot);
    // An answer in hand, even a bad one, is better than a place in the queue.
    const { pool } = traffic;
    if (failure === "status" ? !pool.canPick(work) : !pool.canQueue(work)) return "no";
    const { attempts } = record;
    const { isKept: isBodyKept } = body;
    const nowMs = context.clock.nowMs();
    const redeliveries = this.#redeliveries;
    const isMassDeath = redeliveries > 0 && this.#areOthersDying(pool, nowMs);
    const request = { wasSent, isReplaySafe, isBodyKept };
    const it = { failure, status, attempts, ...request, redeliveries, isMassDeath };
    const decision = decideRetry(traffic, lease, it, nowMs);
    if (decision === "redelivery") {
      if (failure === "backend_reset") this.#redeliveries++;
      traffic.stats.redeliveries++;
    } else if (decision === "budget") traffic.stats.retries++;
    return decision;
  }

  /** Endpoints have died lately that have not had the request. */
  #areOthersDying({ roster }: Desk, nowMs: number): boolean {
    return roster.list.some(
      ({ slot, diedAtMs }) => nowMs - diedAtMs < MASS_DEATH_MS && !this.#parts.work.hasTried(slot),
    );
  }

  /** After the back-off of the next attempt, unless it is called off before. */
  #later(rules: RetryRules): void {
    const { record, context, pick } = this.#parts;
    this.#pause = setTimeout(
      () => {
        this.#pause = null;
        pick();
      },
      backoffMs(rules, record.attempts, context.random),
    );
  }

  /** Whatever the request waits for or runs on is given up. */
  callOff(admission: Admission | null, outcome: Outcome): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    const { record, context, attempt } = this.#parts;
    record.noteDequeued(context.clock.nowMs());
    if (admission !== null) admission.traffic.pool.leaveQueue(attempt.lease);
    attempt.cancel(outcome);
  }
}
