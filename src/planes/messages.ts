import type { Config } from "../config/config.ts";
import type { EndpointSpec } from "../core/endpoint.ts";
import type { GuestMessage, HostMessage } from "../core/handover/messages.ts";
import type { PromptBookMemory } from "../core/inference/prompt-book.ts";
import type { LedgerStorage } from "../core/ledger-storage.ts";
import type { PolicyMemory } from "../core/policies/policy.ts";
import type { WaitBoardMemory } from "../core/sharing/wait-board.ts";
import type { ListenerSpec } from "../proxy/listener.ts";
import type { PoolStatsData } from "../proxy/pool-stats.ts";
import type { TicketSeed } from "../proxy/ticket-keys.ts";
import type { PlaneCounts } from "./plane.ts";
import type { SessionDump, SessionNews } from "./session-tables.ts";

/** What a data thread is born with. */
export interface ThreadSetup {
  /** Number of the thread, 1 to `threads`; 0 is the main thread. */
  readonly thread: number;
  readonly threads: number;
  /** Listeners are opened with `reusePort`. */
  readonly sharesPorts: boolean;
  readonly ledger: LedgerStorage;
  readonly prompts: PromptBookMemory;
  readonly bells: SharedArrayBuffer;
  readonly reports: SharedArrayBuffer;
  /** The system's monotonic time at which the main thread's clock began, milliseconds. */
  readonly clockBeganAtMs: number;
  readonly pseudonym: string;
  readonly tickets: TicketSeed;
  readonly plan: ThreadPlan;
  readonly sessions: SessionDump;
}

/** A configuration and the pools that stand for it, as they are posted to data threads. */
export interface ThreadPlan {
  readonly config: Config;
  readonly sessionKeys: readonly string[];
  readonly pools: readonly ThreadPool[];
}

/** One pool of a plan. */
export interface ThreadPool {
  readonly name: string;
  readonly board: WaitBoardMemory;
  readonly policyMemory: PolicyMemory | undefined;
  readonly endpoints: readonly { spec: EndpointSpec; slot: number; generation: number }[];
}

/** What a data thread is asked to do; it answers each with a {@link ThreadAnswer} of the same number. */
export type ThreadRequest =
  | { readonly do: "apply"; readonly plan: ThreadPlan }
  | { readonly do: "listen"; readonly listeners: readonly ListenerSpec[] }
  | { readonly do: "drain"; readonly timeoutMs: number; readonly isHandedOver: boolean }
  | { readonly do: "reopenLogs" }
  /** Answered with an array of Placement. */
  | { readonly do: "placementsOf"; readonly requestId: string }
  | { readonly do: "loadSessions"; readonly dump: SessionDump }
  /** `ticketsBefore`: see GuestLine. */
  | { readonly do: "becomeGuest"; readonly ticketsBefore: number }
  | { readonly do: "standAlone" }
  | { readonly do: "close" };

/** A request, and the number of its answer. */
export interface NumberedRequest {
  readonly number: number;
  readonly request: ThreadRequest;
}

/** What became of the last `log`. */
export interface Logged {
  readonly logged: boolean;
}

/** An answer of the process that has taken over. */
export interface HostNote {
  readonly host: HostMessage;
}

/**
 * What is said to a data thread: a question, that lines were written, what the successor answers, or what
 * other threads have learned.
 */
export type ThreadNote = NumberedRequest | Logged | HostNote | readonly SessionNews[];

/** Number of the answer that a thread gives unasked, once it has begun to work. */
export const READY = 0;

/** What a data thread says. */
export type ThreadMessage =
  | ThreadAnswer
  /** A connection was closed for its PROXY header. */
  | { readonly kind: "refused"; readonly address: string; readonly reason: string }
  /** For the process that has taken over. */
  | { readonly kind: "guest"; readonly message: GuestMessage }
  | { readonly kind: "sessions"; readonly news: readonly SessionNews[] }
  | { readonly kind: "figures"; readonly figures: ThreadFigures }
  /** Its reports should be read now. */
  | { readonly kind: "urgent" }
  /** Lines for the standard output, which only one thread may write to; answered by {@link Logged}. */
  | { readonly kind: "log"; readonly bytes: Uint8Array };

export type ThreadAnswer =
  | { readonly kind: "done"; readonly number: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly number: number; readonly code: string; readonly message: string };

/** What a data thread has counted. */
export interface ThreadFigures {
  readonly counts: PlaneCounts;
  readonly pools: readonly (readonly [string, PoolStatsData])[];
}
