import { TRIED_MAX, type Work } from "../core/work.ts";
import type { Admission } from "./admit.ts";
import type { Attempt } from "./attempt.ts";
import type { ProxyContext } from "./context.ts";
import type { RequestRecord } from "./record.ts";
import type { RequestBody } from "./request-body.ts";
import type { RetryRules } from "./pool-traffic.ts";
import { backoffMs, decideRetry, type RetryDecision, type RetryFailure } from "./retry.ts";

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
  #wasRedelivered = false;
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
    this.#wasRedelivered = false;
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
    const wasRedelivered = this.#wasRedelivered;
    const it = { failure, status, attempts, wasSent, isReplaySafe, isBodyKept, wasRedelivered };
    const decision = decideRetry(traffic, lease, it, this.#context.clock.nowMs());
    if (decision === "redelivery") {
      if (failure === "backend_reset") this.#wasRedelivered = true;
      traffic.stats.redeliveries++;
    } else if (decision === "budget") traffic.stats.retries++;
    return decision;
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

  callOff(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
  }
}
