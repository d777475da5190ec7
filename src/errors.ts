/**
 * Every error that Evener shows to a person or a client, by code. Each has a section in
 * `docs/reference/errors.md` (a test compares the two lists).
 */
export const ERRORS = {
  EVENER_CONFIG_INVALID: "the configuration is not valid",
  EVENER_CONFIG_UNREADABLE: "the configuration file can not be read",
} as const;

/** A code of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** An expected failure with a stable code; `message` says the subject, what was found and what to do. */
export class EvenerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EvenerError";
    this.code = code;
  }
}

/** Guards our own bugs; stays on in production. Throws a plain `Error`. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
