import { RetryBudget } from "../core/admission/retry-budget.ts";
import { firstTokenDeadlineMs, nextLookMs } from "../core/inference/first-token-deadline.ts";
import type { Lease } from "../core/lease.ts";
import type { Pool } from "../core/pool.ts";
import type { Work } from "../core/work.ts";
import { Heap } from "./heap.ts";
import type { SimRequest } from "./router.ts";

/**
 * Looks after requests whose first token is late, as the proxy does: by the same deadlines, the same question
 * to the pool and a budget of the same size.
 */
export class LateLooks {
  readonly #pool: Pool;
  readonly #budget: RetryBudget = new RetryBudget(BUDGET_SHARE, BUDGET_PER_SECOND_MIN);
  readonly #looks: Heap<Look> = new Heap((a, b) => a.atMs < b.atMs);

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** A request goes to the lease's engine, for the first time. */
  sent(request: SimRequest, lease: Lease): void {
    this.#budget.request(lease.bookedAtMs);
    if (!lease.isPrompt) return;
    const atMs = lease.bookedAtMs + firstTokenDeadlineMs(lease.forecast);
    this.#looks.push({ atMs, request, lease, count: 0 });
  }

  /** Clock milliseconds; Infinity is never. */
  get nextMs(): number {
    for (let next = this.#looks.peek(); next !== undefined; next = this.#looks.peek()) {
      if (next.lease.isOpen && next.lease.firstByteMs < 0) return next.atMs;
      this.#looks.pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** To be called at {@link nextMs}: who is to move, or null. `describe` puts a request into a work. */
  look(nowMs: number, describe: (request: SimRequest) => Work): Look | null {
    const look = this.#looks.pop()!;
    const { request, lease } = look;
    if (this.#pool.isSoonerElsewhere(describe(request), lease) && this.#budget.take(nowMs)) return look;
    const atMs = lease.bookedAtMs + nextLookMs(nowMs - lease.bookedAtMs, ++look.count);
    if (atMs < Number.POSITIVE_INFINITY) this.#looks.push({ ...look, atMs });
    return null;
  }
}

/** A request that is looked after. */
export interface Look {
  readonly atMs: number;
  readonly request: SimRequest;
  readonly lease: Lease;
  count: number;
}

/** As in the product, where nothing else is configured. */
const BUDGET_SHARE = 0.2;
const BUDGET_PER_SECOND_MIN = 1;
