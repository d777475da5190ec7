import type { Clock } from "./kit/clock.ts";
import type { LeaseFacts, Outcome, OutcomeDetail } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import type { Policy } from "./policies/policy.ts";
import type { PoolOptions } from "./pool-options.ts";
import type { Roster } from "./roster.ts";
import type { Turnstile } from "./sharing/turnstile.ts";
import type { Vitals } from "./vitals.ts";

/** Who learns from leases: in the same thread, or through a ring in another one. */
export interface Witness {
  /** The first sign of an answer has come: `firstByteMs` is known. */
  started(lease: LeaseFacts, nowMs: number): void;
  /** The work stands and only goes on; settled follows. */
  established(lease: LeaseFacts, nowMs: number): void;
  /** The answer says how its endpoint is. */
  reported(lease: LeaseFacts, vitals: Vitals, nowMs: number): void;
  settled(lease: LeaseFacts, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void;
}

export type DeskOptions = Pick<PoolOptions, "queue" | "sessionWhenFull" | "failover">;

/** What a desk is made of. */
export interface DeskSetup {
  readonly name: string;
  readonly ledger: Ledger;
  readonly roster: Roster;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly options: DeskOptions;
  readonly witness: Witness;
  /** Absent: no other thread works for this pool. */
  readonly turnstile?: Turnstile | undefined;
  /** Number of this thread in the ledger; 0 if absent. */
  readonly thread?: number;
  /** How many threads give the work of this pool; 1 if absent. */
  readonly threads?: number;
}
