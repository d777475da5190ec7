// The engine's public face: `import { Pool } from "evener/core"`.
export { type QueueOptions, type Waiter } from "./admission/wait-queue.ts";
export { RetryBudget } from "./admission/retry-budget.ts";
export { type Decision, type RefuseReason, type WaitReason } from "./decision.ts";
export { Endpoint, type EndpointSpec, endpointSpec } from "./endpoint.ts";
export { type PoolEvent, type PoolEventKind, type PoolEventSink } from "./events.ts";
export { type HealthDescription, type Wish } from "./health/endpoint-health.ts";
export { type ProbeEvent } from "./health/probe-state.ts";
export { type Clock, VirtualClock } from "./kit/clock.ts";
export { hashText } from "./kit/hash.ts";
export { Random } from "./kit/random.ts";
export { Lease, type Outcome, type OutcomeDetail } from "./lease.ts";
export { Ledger, STATE, UNLIMITED } from "./ledger.ts";
export { POLICIES } from "./policies/index.ts";
export {
  type Policy,
  type PolicyKit,
  type PolicyOptions,
  type PolicySpec,
  type PoolView,
} from "./policies/policy.ts";
export { createPolicy } from "./policies/create.ts";
export { Pool, type PoolSetup } from "./pool.ts";
export {
  BARE_POOL_OPTIONS,
  DEFAULT_POOL_OPTIONS,
  type OutlierLimits,
  type PoolOptions,
} from "./pool-options.ts";
export { NO_KEY, Work, WORK_CLASSES, type WorkClass } from "./work.ts";
