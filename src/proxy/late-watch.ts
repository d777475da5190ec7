// Hot path: one comparison a request; for prompts a deadline is moved.
import { firstTokenDeadlineMs, nextLookMs } from "../core/inference/first-token-deadline.ts";
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import type { Lease } from "../core/lease.ts";
import type { Work } from "../core/work.ts";
import type { Admission } from "./admit.ts";
import type { ProxyContext } from "./context.ts";
import type { PoolTraffic, RetryRules } from "./pool-traffic.ts";

/**
 * Watches over the first token of one prompt after the other. When it is late, the prompt moves to another
 * backend, if that is expected to be clearly sooner as things are now, and the retry budget has room; else it
 * stays, and is looked at again some times. What has its first token, or has ended, is not looked at.
 */
export class LateWatch implements DeadlineOwner {
  readonly #context: ProxyContext;
  readonly #work: Work;
  readonly #lease: Lease;
  readonly #owner: LateOwner;
  readonly #deadline: Deadline = new Deadline(this);
  #admission: Admission | null = null;
  /** The lease's booking that is watched. */
  #bookedAtMs = Number.NaN;
  #looks = 0;

  constructor(context: ProxyContext, work: Work, lease: Lease, owner: LateOwner) {
    this.#context = context;
    this.#work = work;
    this.#lease = lease;
    this.#owner = owner;
  }

  /** An attempt of the lease begins; `mayMove`: another one may follow it. */
  begin(admission: Admission, mayMove: boolean): void {
    const lease = this.#lease;
    if (!lease.isPrompt) return;
    this.#admission = admission;
    this.#bookedAtMs = lease.bookedAtMs;
    this.#looks = 0;
    const { retry } = admission.traffic;
    this.#context.deadlines.set(
      this.#deadline,
      mayMove ? deadlineMs(retry, lease) : Number.POSITIVE_INFINITY,
    );
  }

  /** There will be no other. */
  close(): void {
    this.#context.deadlines.remove(this.#deadline);
  }

  onDeadline(): void {
    const lease = this.#lease;
    const isWaiting = lease.isOpen && lease.isPrompt && lease.firstByteMs < 0;
    if (!isWaiting || lease.bookedAtMs !== this.#bookedAtMs) return;
    const nowMs = this.#context.clock.nowMs();
    const waitedMs = nowMs - lease.bookedAtMs;
    const { traffic } = this.#admission!;
    const { pool, budget } = traffic;
    const isSooner = this.#owner.canMove && pool.isSoonerElsewhere(this.#work, lease);
    if (isSooner && (budget === null || budget.take(nowMs))) return this.#owner.move(traffic, waitedMs);
    const nextMs = nextLookMs(waitedMs, ++this.#looks);
    this.#context.deadlines.set(this.#deadline, nextMs - waitedMs);
  }
}

/** Who has made the attempt that is watched. */
export interface LateOwner {
  /** Nobody has seen anything of it, and all of the request is here. */
  readonly canMove: boolean;
  /** Another backend is to have the prompt, of which the present one has had `waitedMs`. */
  move(traffic: PoolTraffic, waitedMs: number): void;
}

/** A time that was written is for streams; how long a whole answer takes, the forecast knows better. */
function deadlineMs(retry: RetryRules | null, { forecast }: Lease): number {
  if (retry === null || retry.firstToken === "off") return Number.POSITIVE_INFINITY;
  if (retry.firstToken === "auto" || forecast.isStream === 0) return firstTokenDeadlineMs(forecast);
  return retry.firstToken;
}
