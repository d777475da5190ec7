/**
 * Every error that Evener shows to a person or a client, by code. Each has a section in
 * `docs/reference/errors.md` (a test compares the two lists).
 */
export const ERRORS = {
  EVENER_NODE_TOO_OLD: "Node is older than Evener needs",
  EVENER_NO_ROUTE: "no route takes the request",
  EVENER_METHOD_REFUSED: "CONNECT and TRACE are not served",
  EVENER_AMBIGUOUS_PATH: "the path could be read in two ways",
  EVENER_BODY_TOO_LARGE: "the body is larger than the limit",
  EVENER_NO_MODEL: "no route takes the model",
  EVENER_LOOP: "the request came through this balancer before",
  EVENER_FIRST_BYTE_TIMEOUT: "the backend did not begin to answer in time",
  EVENER_BACKEND_LEFT: "the backend was removed while the request was on its way",
  EVENER_SHUTTING_DOWN: "the balancer is stopping",
  EVENER_CONNECT_FAILED: "no connection to the backend",
  EVENER_BACKEND_RESET: "the backend closed the connection before it answered",
  EVENER_STREAM_BROKEN: "the backend died in the middle of a stream",
  EVENER_STREAM_SILENT: "the backend fell silent in the middle of a stream",
  EVENER_BACKEND_PROTOCOL: "the backend's answer is not valid HTTP",
  EVENER_BAD_REQUEST: "the request is not valid HTTP",
  EVENER_BAD_UPGRADE: "the request can not switch protocols like this",
  EVENER_HEADER_TIMEOUT: "the head of the request did not arrive in time",
  EVENER_ALL_DRAINED: "every backend is drained",
  EVENER_ALL_DOWN: "no backend is healthy",
  EVENER_ALL_TRIED: "every healthy backend has failed the request",
  EVENER_SATURATED: "every backend is at its limit",
  EVENER_QUEUE_FULL: "every backend is at its limit and the queue is full",
  EVENER_QUEUE_TIMEOUT: "no backend became free in time",
  EVENER_HANDOVER_FAILED: "the next process did not take over",
  EVENER_LISTEN_FAILED: "a listener can not be opened",
  EVENER_USAGE: "the command line is not valid",
  EVENER_UNAUTHORIZED: "the admin token is missing or wrong",
  EVENER_NOT_FOUND: "there is no such thing",
  EVENER_BAD_VALUE: "a value is out of range",
  EVENER_FORBIDDEN: "the request did not come from where it may",
  EVENER_PAYLOAD_TOO_LARGE: "the body of an admin request is too large",
  EVENER_NOT_JSON: "the body of an admin request is not JSON",
  EVENER_METHOD_NOT_ALLOWED: "the admin endpoint does not take this method",
  EVENER_STREAMS_FULL: "every place for an event stream is taken",
  EVENER_BAD_FRAME: "a message of an agent is not valid",
  EVENER_TASK_STATE: "the task is not in a state that allows this",
  EVENER_TASK_BACKLOG: "too much waits already",
  EVENER_STORE_FULL: "the store of tasks has no room",
  EVENER_STORE_FAILED: "the store of tasks can not be read or written",
  EVENER_STORE_UNKNOWN: "whether the store of tasks has kept a commit is not known",
  EVENER_INTERNAL: "a mistake of Evener's own",
  EVENER_NO_ENDPOINT: "no endpoint can take the work now",
  EVENER_CONFIG_INVALID: "the configuration is not valid",
  EVENER_CERTIFICATE_INVALID: "a certificate or its key can not be used",
  EVENER_CONFIG_UNREADABLE: "the configuration file can not be read",
  EVENER_SCENARIO_INVALID: "the scenario is not valid",
  EVENER_TRACE_UNREADABLE: "the trace can not be read",
  EVENER_ADMIN_UNREACHABLE: "the admin listener does not answer",
  EVENER_ADMIN_TOKEN_REQUIRED: "an admin listener beyond loopback needs a token",
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
