import type { Endpoint } from "../core/endpoint.ts";
import type { Lease } from "../core/lease.ts";
import type { Random } from "../core/kit/random.ts";
import type { PoolTraffic, RetryRules } from "./pool-traffic.ts";

/** Why an attempt failed before any byte of an answer went to the client. */
export type RetryFailure = "connect_failed" | "backend_reset" | "first_byte_timeout" | "status";

/** Every way in which an attempt fails before its answer began. */
export type FailureReason = Exclude<RetryFailure, "status"> | "backend_protocol" | "backend_left";

/** What is known about the request when one of its attempts has failed. */
export interface RetryCase {
  readonly failure: RetryFailure;
  /** Of the answer, for "status"; else 0. */
  readonly status: number;
  readonly attempts: number;
  /** Some of the request may have reached the backend. */
  readonly wasSent: boolean;
  readonly isReplaySafe: boolean;
  /** All of the body that the client has sent so far is still here. */
  readonly isBodyKept: boolean;
  /** How many endpoints died that had it, and it was redelivered outside the budget. */
  readonly redeliveries: number;
  /** Endpoints die at this time that have never had it: it is not what kills them. */
  readonly isMassDeath: boolean;
}

export type RetryDecision = "no" | "budget" | "redelivery";

/**
 * Whether a failed attempt is repeated elsewhere. Only what is savable is: nothing was sent yet, or the
 * request may be replayed and is all here. What was in flight on an endpoint when it died is redelivered
 * outside the budget: a death is no retry storm. Once, where it had arrived: it may be what kills endpoints;
 * some times more where others die, too. As often as needed where nobody listened, as when a rack dies.
 */
export function decideRetry(traffic: PoolTraffic, lease: Lease, it: RetryCase, nowMs: number): RetryDecision {
  const rules = traffic.retry;
  if (rules === null || !isCondition(rules, it)) return "no";
  if (it.wasSent && !it.isReplaySafe) return "no";
  if (!it.isBodyKept) return "no";
  const most = it.isMassDeath ? REDELIVERIES_IN_MASS_DEATH : 1;
  const mayBePoison = it.failure === "backend_reset" && it.redeliveries >= most;
  if (!mayBePoison && diedWith(lease, it, nowMs)) return "redelivery";
  // A connection that was refused has cost no backend anything: it does not count as a try.
  if (it.attempts >= rules.attempts && it.failure !== "connect_failed") return "no";
  return traffic.budget === null || traffic.budget.take(nowMs) ? "budget" : "no";
}

function isCondition(rules: RetryRules, it: RetryCase): boolean {
  switch (it.failure) {
    case "connect_failed":
      return rules.on.connectFailure;
    case "backend_reset":
      return rules.on.reset;
    case "first_byte_timeout":
      return rules.on.firstByteTimeout;
    case "status":
      return rules.on.statuses.includes(it.status);
  }
}

/**
 * The request was in flight when its endpoint died. Notes the death when this is its first sign; an endpoint
 * dies at most once in {@link DEATH_MS}, or once until nobody listened and somebody does again: one that
 * lives on and resets some of its requests has the budget.
 */
function diedWith(lease: Lease, it: RetryCase, nowMs: number): boolean {
  if (it.failure !== "connect_failed" && it.failure !== "backend_reset") return false;
  const endpoint = lease.endpoint!;
  if (it.failure === "connect_failed") endpoint.isGone = true;
  if (nowMs - endpoint.diedAtMs > DEATH_MS) endpoint.diedAtMs = nowMs;
  return lease.bookedAtMs <= endpoint.diedAtMs;
}

const DEATH_MS = 10_000;
/** So lately others must have died for it to be a mass death. */
export const MASS_DEATH_MS = 3_000;
const REDELIVERIES_IN_MASS_DEATH = 3;

/** A new connection to it stands: if it was dead, it lives again. */
export function noteAlive(endpoint: Endpoint): void {
  if (!endpoint.isGone) return;
  endpoint.isGone = false;
  endpoint.diedAtMs = Number.NEGATIVE_INFINITY;
}

/** Back-off before the next attempt: doubles, with full jitter (AWS Architecture Blog, 2015). */
export function backoffMs(rules: RetryRules, attempts: number, random: Random): number {
  return Math.min(rules.backoffMs * 2 ** (attempts - 1), rules.backoffMsMax) * random.float();
}

/** `Retry-After` in milliseconds: seconds or a date; 0 when it is missing or makes no sense. */
export function retryAfterMs(value: string | null, wallMs: number): number {
  if (value === null) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - wallMs);
}
