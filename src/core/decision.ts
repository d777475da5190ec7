import type { Lease } from "./lease.ts";

/** What the pool says to a piece of work. An expected outcome, so a value and not an exception. */
export type Decision =
  /** Go there; the work is booked already. A {@link Lease} is this. */
  | { readonly kind: "send"; readonly lease: Lease }
  /** It stands in the queue; its waiter will be told. */
  | { readonly kind: "wait"; readonly reason: WaitReason }
  | { readonly kind: "refuse"; readonly reason: RefuseReason; readonly retryAfterMs: number };

export type WaitReason = "saturated";

export type RefuseReason =
  /** The pool has no endpoint (with the labels that the work asks for). */
  | "no_endpoint"
  /** An operator, or their agents, have all of them take nothing new. */
  | "all_drained"
  /** None is healthy. */
  | "all_down"
  /** Every healthy endpoint has failed this work already. */
  | "all_tried"
  /** Every endpoint is at its limit and there is no queue. */
  | "saturated"
  | "queue_full"
  | "queue_timeout";

export const WAIT_SATURATED: Decision = { kind: "wait", reason: "saturated" };
