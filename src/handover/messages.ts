import type { GuestMessage, HostMessage } from "../core/handover/messages.ts";
import type { EndpointMemory } from "../core/handover/memory.ts";
import { type Address, addressText } from "../http1/address.ts";
import type { SessionDump, SessionNews } from "../planes/session-tables.ts";
import type { TicketSeed } from "../proxy/ticket-keys.ts";

/** Two processes that do not speak the same do not hand over: goes up with every change of these messages. */
export const PROTOCOL = 1;

/** The first thing that a successor hears. */
export interface Hello {
  readonly kind: "hello";
  readonly protocol: number;
  readonly pid: number;
  /** How many descriptors it was born with, from 3 on. */
  readonly descriptors: number;
  readonly listeners: readonly KnownListener[];
  readonly secrets: Secrets;
}

/** A listener as it was until now. */
export interface KnownListener {
  /** Its address as configured, or {@link adminKey}. */
  readonly key: string;
  /** Its real address. */
  readonly address: Address;
  /** See `AdoptedSockets`. */
  readonly ownsFile: boolean;
}

/** What must stay the same for clients; not for logs. */
export interface Secrets {
  /** What signs session cookies where the configuration does not say; null: nothing needed it. */
  readonly sessionKey: string | null;
  readonly tickets: TicketSeed;
  /** The name in Via: a request that comes through both has not come in a circle. */
  readonly pseudonym: string;
}

/** What the process before says, in this order; guest messages and news come at any time after `estate`. */
export type FromPredecessor =
  | Hello
  /** It was prepared for: what was known until now. */
  | { readonly kind: "estate"; readonly pools: readonly PoolMemory[]; readonly sessions: SessionDump }
  /** All that is in flight has been told. */
  | { readonly kind: "told" }
  | { readonly kind: "guest"; readonly message: GuestMessage }
  /** The last word. */
  | { readonly kind: "left" }
  | { readonly kind: "sessions"; readonly news: readonly SessionNews[] };

/** What the successor says: `prepared`, then `listening`; or `failed`, and ends. */
export type FromSuccessor =
  /** The first word. */
  | { readonly kind: "born"; readonly pid: number }
  | { readonly kind: "prepared" }
  | { readonly kind: "listening" }
  | { readonly kind: "failed"; readonly problem: string }
  | { readonly kind: "host"; readonly message: HostMessage }
  | { readonly kind: "sessions"; readonly news: readonly SessionNews[] }
  /** The log files were moved away. */
  | { readonly kind: "reopenLogs" };

/** What is known of the endpoints of one pool. */
export interface PoolMemory {
  readonly pool: string;
  readonly endpoints: readonly EndpointMemory[];
}

/** The key of the admin listener: its address may be that of another one as long as it is "any port". */
export function adminKey(admin: Address): string {
  return `admin ${addressText(admin)}`;
}

/** Tells a process that it is a successor; the number of its channel is told by Node. */
export const SUCCESSOR_VARIABLE = "EVENER_SUCCESSOR";

/** News of sessions with `untilMs` as the time that is left: clocks of two processes differ. */
export function leftOf(news: readonly SessionNews[], nowMs: number): SessionNews[] {
  return news.map((it) => ({ ...it, untilMs: it.untilMs - nowMs }));
}

/** The reverse of {@link leftOf}. */
export function untilOf(news: readonly SessionNews[], nowMs: number): SessionNews[] {
  return news.map((it) => ({ ...it, untilMs: it.untilMs + nowMs }));
}
