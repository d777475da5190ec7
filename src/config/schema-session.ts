import * as z from "zod";

import type { KeySpec, SessionConfig } from "./config.ts";
import { learnKey, sessionKey } from "./schema-key.ts";
import { duration, integer, offOr, text } from "./scalars.ts";

/** Which requests belong together and go to one backend. */
export const sessionSchema: z.ZodType<SessionConfig | null> = offOr(
  z.union([
    sessionKey().transform((key): SessionConfig => toSession({ when_full: DEFAULTS.whenFull }, key)),
    z
      .strictObject({
        key: sessionKey()
          .optional()
          .describe(
            "`cookie` (Evener's own, signed), `header:NAME`, `cookie:NAME`, `query:NAME`, " +
              "`body:FIELD`, `path` or `client_ip`",
          ),
        learn: learnKey()
          .optional()
          .describe(
            "in place of `key`: `cookie:NAME` or `header:NAME` of the backends' answers; requests that " +
              "carry a value go to the backend that has set it",
          ),
        ttl: duration(1000, 31_536_000_000)
          .optional()
          .describe(
            "with `key: cookie` the life of the cookie, with `learn` how long an unused session is known; " +
              "`1h` if nothing is written",
          ),
        max: integer(1, 1_000_000)
          .optional()
          .describe(
            "sessions that are known at once, `100000` if nothing is written; beyond it the one is " +
              "forgotten that was not used for the longest time; only with `learn`",
          ),
        cookie_name: text("text", {
          what: "a cookie's name",
          example: "evener_session",
          pattern: /^[\w!#$%&'*+^`|~.-]{1,64}$/,
        })
          .optional()
          .describe("name of the cookie, `evener_session` if nothing is written; only with `key: cookie`"),
        when_full: z
          .enum(["spill", "wait"])
          .prefault("spill")
          .describe(
            "its backend is at its limit: `spill` to another for this request, or `wait` in the queue",
          ),
      })
      .transform((written, context): SessionConfig => {
        for (const { path, message, at } of mistakesIn(written)) {
          context.addIssue({ code: "custom", path: [path], message, params: { at } });
        }
        return toSession(written, written.learn ?? written.key ?? DEFAULTS.key);
      }),
  ]),
);

const DEFAULTS = {
  key: { from: "session_cookie" },
  ttl: 3_600_000,
  max: 100_000,
  cookieName: "evener_session",
  whenFull: "spill",
} as const;

/** A session as it is written, each value read. */
interface SessionWritten {
  readonly key?: KeySpec | undefined;
  readonly learn?: KeySpec | undefined;
  readonly ttl?: number | undefined;
  readonly max?: number | undefined;
  readonly cookie_name?: string | undefined;
  readonly when_full: "spill" | "wait";
}

interface Mistake {
  readonly path: keyof SessionWritten;
  readonly message: string;
  readonly at?: "key";
}

function mistakesIn(written: SessionWritten): Mistake[] {
  const { key, learn } = written;
  if (key !== undefined && learn !== undefined) {
    return [{ path: "learn", at: "key", message: `stands in place of "key"; remove one of them` }];
  }
  if (key === undefined && learn === undefined) {
    return [{ path: "key", message: `is missing; write "key: cookie" or "learn: cookie:NAME"` }];
  }
  const isCookie = key?.from === "session_cookie";
  const mistakes: Mistake[] = [];
  const refuse = (path: keyof SessionWritten, advice: string): void => {
    if (written[path] !== undefined) mistakes.push({ path, at: "key", message: `has no meaning ${advice}` });
  };
  if (!isCookie && learn === undefined) refuse("ttl", `for this key; remove it or write "key: cookie"`);
  if (!isCookie) refuse("cookie_name", `for this key; remove it or write "key: cookie"`);
  if (learn === undefined) refuse("max", `for this key; remove it or write "learn: cookie:NAME"`);
  return mistakes;
}

function toSession(written: SessionWritten, key: KeySpec): SessionConfig {
  return {
    key,
    ttlMs: written.ttl ?? DEFAULTS.ttl,
    cookieName: written.cookie_name ?? DEFAULTS.cookieName,
    whenFull: written.when_full,
    learnedMax: written.learn === undefined ? 0 : (written.max ?? DEFAULTS.max),
  };
}
