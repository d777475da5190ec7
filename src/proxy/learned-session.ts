// Hot path (where sessions are learned): per request one look at its fields and one hash.
import type { LearnedSessions } from "../core/affinity/learned.ts";
import { hashTextWide } from "../core/kit/hash.ts";
import { NO_KEY, type Work } from "../core/work.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import type { Admission } from "./admit.ts";
import { type KeySource, keyText } from "./keys.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import type { RequestRecord } from "./record.ts";

/** Where the values of learned sessions stand, in requests and in answers, and what is known of them. */
export interface SessionLearner {
  /** A header or a cookie. */
  readonly source: Extract<KeySource, { readonly name: string }>;
  readonly table: LearnedSessions;
}

/**
 * Finds the home of the session that the request carries: the work goes there. Returns the session's hash
 * where it is known, else {@link NO_KEY}: what a client sends is never learned.
 */
export function findLearned(traffic: PoolTraffic, head: RequestHead, work: Work, nowMs: number): number {
  const { source, table } = traffic.learner!;
  const value = keyText(source, head, "");
  if (value === null || value === "") return NO_KEY;
  const hash = hashTextWide(value);
  const id = table.find(hash, nowMs);
  if (id === null) return NO_KEY;
  work.sessionSlot = traffic.pool.roster.get(id)?.slot ?? -1;
  return hash;
}

/** A backend's answer: the session that it names is its own, and so is one that had to move to it. */
export function learnFrom(head: ResponseHead, admission: Admission, record: RequestRecord): void {
  const { source, table } = admission.traffic.learner!;
  const { backend } = record;
  const nowMs = record.beganMs + record.firstByteMs;
  if (source.from === "header") learnValue(table, head.get(source.name), backend, nowMs);
  else {
    for (let i = 0; i < head.count; i++) {
      if (head.ids[i] === FIELD.setCookie) {
        learnValue(table, setCookieValue(head.valueAt(i), source.name), backend, nowMs);
      }
    }
  }
  const { learnedHash } = admission;
  if (learnedHash !== NO_KEY && hasMoved(admission, record)) table.learn(learnedHash, backend, nowMs);
}

/** The home could not serve, and another backend did. One that was only full stays the home. */
export function hasMoved({ sessionHome }: Admission, { backend, attempts }: RequestRecord): boolean {
  return sessionHome === null || (sessionHome !== backend && attempts > 1);
}

function learnValue(table: LearnedSessions, value: string | null, backend: string, nowMs: number): void {
  if (value !== null && value !== "") table.learn(hashTextWide(value), backend, nowMs);
}

/** The value that a Set-Cookie field gives to the cookie of that name, as clients will send it; or null. */
function setCookieValue(field: string, name: string): string | null {
  const equals = field.indexOf("=");
  if (equals < 0 || field.slice(0, equals).trim() !== name) return null;
  const semicolon = field.indexOf(";", equals);
  return field.slice(equals + 1, semicolon < 0 ? field.length : semicolon).trim();
}
