/**
 * What exactly went wrong with an attempt, as far as events name it. A closed list, so that a data thread can
 * tell it as a number; "" is all that is not on it. `ETLS_...` are failed handshakes (`http1/tls-client.ts`).
 */
export const FAILURE_CAUSES = [
  "",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "ETLS_CLOSED",
  "ETLS_EXPIRED",
  "ETLS_FAILED",
  "ETLS_NOT_YET_VALID",
  "ETLS_PLAIN",
  "ETLS_REFUSED",
  "ETLS_REVOKED",
  "ETLS_TIMEOUT",
  "ETLS_UNKNOWN_CA",
  "ETLS_WRONG_NAME",
] as const;

/** One of {@link FAILURE_CAUSES}. */
export type FailureCause = (typeof FAILURE_CAUSES)[number];

/** The cause that a code stands for; "" when events do not name it. */
export function causeOf(code: string): FailureCause {
  const at = (FAILURE_CAUSES as readonly string[]).indexOf(code);
  return at < 0 ? "" : FAILURE_CAUSES[at]!;
}
