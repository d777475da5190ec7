import { randomBytes } from "node:crypto";
import type { Config } from "./config/config.ts";
import type { Secrets } from "./handover/messages.ts";
import { TicketKeys } from "./proxy/ticket-keys.ts";
import { keptSessionKey } from "./state.ts";

/** What clients and other proxies know this Evener by: the same before and after a handover. */
export class Identity {
  /** Our name in Via. */
  readonly pseudonym: string;
  readonly tickets: TicketKeys;
  #sessionKey: string | null;

  /** `before`: of the process that this one takes over from. */
  constructor(before: Secrets | null) {
    this.pseudonym = before?.pseudonym ?? `evener-${randomBytes(4).toString("hex")}`;
    this.tickets = new TicketKeys(before?.tickets ?? null);
    this.#sessionKey = before?.sessionKey ?? null;
  }

  /** What session cookies are signed with: as configured, else a key that is kept. */
  sessionKeys({ sessionKeys, pools }: Config): readonly string[] {
    if (sessionKeys.length > 0) return sessionKeys;
    if (!pools.some(({ session }) => session?.key.from === "session_cookie")) return [];
    this.#sessionKey ??= keptSessionKey(process.env);
    return [this.#sessionKey];
  }

  /** For the next process. */
  secrets(): Secrets {
    return { sessionKey: this.#sessionKey, tickets: this.tickets.seed(), pseudonym: this.pseudonym };
  }
}
