// Hot path: two fields a request.
import type { Lease, Outcome } from "../core/lease.ts";
import { FIELD } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/head.ts";
import { outcomeOf } from "./answers.ts";
import { type FailureReason, retryAfterMs } from "./retry.ts";

/** How an attempt went, as far as is known: what its lease is settled with, and so what is learned of it. */
export class Verdict {
  outcome: Outcome = "ok";
  /** What the backend asked for; 0 is nothing. */
  retryAfterMs = 0;

  /** By the status of its answer. */
  ofHead(head: ResponseHead): void {
    this.outcome = outcomeOf(head.status);
    const mayAsk = head.status >= 400 && this.outcome !== "ok";
    this.retryAfterMs = mayAsk ? retryAfterMs(head.value(FIELD.retryAfter), Date.now()) : 0;
  }

  /** It failed before its answer had begun, or as its answer says. */
  ofFailure(reason: FailureReason | "refused"): void {
    this.outcome = reason === "first_byte_timeout" ? "timeout" : "backend_error";
    if (reason === "backend_left") this.outcome = "cancelled";
    this.retryAfterMs = 0;
  }

  settle(lease: Lease): void {
    if (this.outcome === "ok") lease.settle("ok");
    else lease.settle(this.outcome, { retryAfterMs: this.retryAfterMs, isUnreachable: false });
  }
}
