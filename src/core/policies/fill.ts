import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The first endpoint until it is full, then the next.
 * When to use: the last machines should fall idle so that they can be switched off; needs a `limit` per
 * backend.
 * When not: latency matters more than the bill; without limits everything goes to the first.
 * Cost: O(1) a pick: the pool has taken the full ones out already.
 * Source: HAProxy `balance first`.
 */
export const fill: PolicySpec = {
  name: "fill",
  summary: "the first until it is full, then the next (to switch off the rest)",
  options: NO_OPTIONS,
  create: () => FIRST,
};

const FIRST: Policy = {
  pick: (view: PoolView): number => (view.count === 0 ? -1 : view.candidates[0]!),
};
