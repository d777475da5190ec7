import type { Desk } from "../core/desk.ts";
import type { Outcome } from "../core/lease.ts";
import { TRIED_MAX, type Work } from "../core/work.ts";
import type { Admission } from "./admit.ts";
import type { Attempt } from "./attempt.ts";
import type { ProxyContext } from "./context.ts";
import type { RequestRecord } from "./record.ts";
import type { RequestBody } from "./request-body.ts";
import type { RetryRules } from "./pool-traffic.ts";
import { backoffMs, decideRetry, MASS_DEATH_MS, type RetryDecision, type RetryFailure } from "./retry.ts";

/**
 * The retries of one request after the other: what failed, what is left, who could take it, and the pause
 * before.
 */
export class Retrier {
  readonly #context: ProxyContext;
  readonly #work: Work;
  readonly #body: RequestBody;
  readonly #attempt: Attempt;
  readonly #record: RequestRecord;
  #redeliveries = 0;
  #pause: NodeJS.Timeout | null = null;

  constructor(context: ProxyContext, work: Work, body: RequestBody, attempt: Attempt, record: RequestRecord) {
    this.#context = context;
    this.#work = work;
    this.#body = body;
    this.#attempt = attempt;
    this.#record = record;
  }

  /** A new request. */
  reset(): void {
    this.#redeliveries = 0;
  }

  /**
   * The endpoint of the open lease has failed; the next pick leaves it out. Counts the retry where there is
   * one.
   */
  decide({ traffic, isReplaySafe }: Admission, failure: RetryFailure, status: number): RetryDecision {
    const { lease, wasSent } = this.#attempt;
    if (this.#work.triedCount === TRIED_MAX) return "no";
    this.#work.avoid(lease.slot);
    // An answer in hand, even a bad one, is better than a place in the queue.
    const { pool } = traffic;
    if (failure === "status" ? !pool.canPick(this.#work) : !pool.canQueue(this.#work)) return "no";
    const { attempts } = this.#record;
    const { isKept: isBodyKept } = this.#body;
    const nowMs = this.#context.clock.nowMs();
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
      ({ slot, diedAtMs }) => nowMs - diedAtMs < MASS_DEATH_MS && !this.#work.hasTried(slot),
    );
  }

  /** Calls `again` after the back-off of the next attempt, unless it is called off before. */
  later(rules: RetryRules, again: () => void): void {
    this.#pause = setTimeout(
      () => {
        this.#pause = null;
        again();
      },
      backoffMs(rules, this.#record.attempts, this.#context.random),
    );
  }

  /** Whatever the request waits for or runs on is given up. */
  callOff(admission: Admission | null, outcome: Outcome): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    this.#record.noteDequeued(this.#context.clock.nowMs());
    if (admission !== null) admission.traffic.pool.leaveQueue(this.#attempt.lease);
    this.#attempt.cancel(outcome);
  }
}
