/** No limit on requests in flight. */
export const UNLIMITED = 0x7fffffff;

/** What may be done with an endpoint, as a number in the ledger. Only the first two take work. */
export const STATE = {
  /** Nobody's slot, or its endpoint has left. */
  absent: 0,
  available: 1,
  /** Comes back from an ejection: one request at a time until real work has succeeded. */
  probation: 2,
  ejected: 3,
  /** Its probes fail. */
  down: 4,
  /** Finishes what it has, takes nothing new; told by an operator or by itself. */
  draining: 5,
} as const;
