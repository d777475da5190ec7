import type { Decision, RefuseReason } from "../core/decision.ts";
import type { Outcome } from "../core/lease.ts";
import type { ErrorCode } from "../errors.ts";
import type { ParseError } from "../http1/parse-error.ts";
import { ALLOW_LINE, type ErrorAnswer, type FixedAnswer, type OwnAnswer } from "./answer.ts";
import type { EndReason } from "./pool-stats.ts";
import type { FailureReason } from "./retry.ts";

/** Every answer that the proxy gives itself, with what to do about it. */
export const ANSWERS: Readonly<Record<AnswerName, ErrorAnswer>> = {
  noRoute: answer(
    404,
    "EVENER_NO_ROUTE",
    "no route takes this host, path and method; see `routes`",
    "destination_not_found",
  ),
  methodRefused: answer(
    405,
    "EVENER_METHOD_REFUSED",
    "CONNECT and TRACE are not served",
    "http_request_denied",
  ),
  ambiguousPath: answer(
    400,
    "EVENER_AMBIGUOUS_PATH",
    "the path has dot segments or %00; send it normalised",
    "http_request_error",
  ),
  doubleSlash: answer(
    400,
    "EVENER_AMBIGUOUS_PATH",
    "without the route's prefix the path begins with //; send it with one slash",
    "http_request_error",
  ),
  noHost: answer(400, "EVENER_BAD_REQUEST", "the redirect needs a Host; send one", "http_request_error"),
  bodyTooLarge: answer(
    413,
    "EVENER_BODY_TOO_LARGE",
    "the body is larger than limits.body_bytes, or the route's body_max, allows",
    "http_request_denied",
  ),
  loop: answer(
    508,
    "EVENER_LOOP",
    "the request came through this balancer before; check the backends",
    "proxy_loop_detected",
  ),
  firstByteTimeout: answer(
    504,
    "EVENER_FIRST_BYTE_TIMEOUT",
    "the backend did not begin to answer within timeouts.first_byte",
    "http_response_timeout",
  ),
  backendLeft: answer(
    503,
    "EVENER_BACKEND_LEFT",
    "the backend was removed while the request was on its way; send it again",
    "destination_unavailable",
  ),
  shuttingDown: answer(
    503,
    "EVENER_SHUTTING_DOWN",
    "the balancer is stopping; send the request again",
    "connection_terminated",
    1_000,
  ),
  connectFailed: answer(
    502,
    "EVENER_CONNECT_FAILED",
    "no connection to the backend; is it running?",
    "connection_refused",
  ),
  backendReset: answer(
    502,
    "EVENER_BACKEND_RESET",
    "the backend closed the connection before it answered",
    "connection_terminated",
  ),
  backendProtocol: answer(
    502,
    "EVENER_BACKEND_PROTOCOL",
    "the backend's answer is not valid HTTP",
    "http_protocol_error",
  ),
};

type AnswerName =
  | "noRoute"
  | "methodRefused"
  | "ambiguousPath"
  | "doubleSlash"
  | "noHost"
  | "bodyTooLarge"
  | "loop"
  | "firstByteTimeout"
  | "backendLeft"
  | "shuttingDown"
  | "connectFailed"
  | "backendReset"
  | "backendProtocol";

/** To an OPTIONS that may go no further (RFC 9110 section 7.6.2). */
export const OPTIONS_ANSWER: FixedAnswer = { kind: "fixed", status: 204, lines: ALLOW_LINE, body: "" };

/** What the client of a stream is told last, when its backend has died or fallen silent. */
export function lastWords(isTimeout: boolean): { readonly code: ErrorCode; readonly message: string } {
  return isTimeout
    ? { code: "EVENER_STREAM_SILENT", message: "the backend fell silent for longer than timeouts.idle" }
    : { code: "EVENER_STREAM_BROKEN", message: "the backend died before the answer was complete" };
}

/** The answer to a request that could not be understood. */
export function parseAnswer(error: ParseError): ErrorAnswer {
  const code = error.status === 408 ? "EVENER_HEADER_TIMEOUT" : "EVENER_BAD_REQUEST";
  return answer(error.status, code, `${error.detail} (${error.code})`, "http_request_error");
}

/** The answer to a request for a model that no route takes. */
export function noModelAnswer(model: string): ErrorAnswer {
  const asked =
    model === "" ? "the request names no model" : `there is no model ${JSON.stringify(model.slice(0, 256))}`;
  const message = `${asked} here; GET /v1/models lists those that there are`;
  return answer(404, "EVENER_NO_MODEL", message, "destination_not_found");
}

/** The answer to an offer to switch protocols that no backend shall see. */
export function upgradeAnswer(status: 400 | 426, message: string): ErrorAnswer {
  return answer(status, "EVENER_BAD_UPGRADE", message, "http_request_error");
}

/** The answer to a request that the pool could not take. */
export function refusalAnswer(refusal: Extract<Decision, { kind: "refuse" }>, pool: string): ErrorAnswer {
  const [code, message] = REFUSALS[refusal.reason];
  return answer(503, code, `pool ${pool}: ${message}`, "destination_unavailable", refusal.retryAfterMs);
}

const REFUSALS: Readonly<Record<RefuseReason, readonly [ErrorCode, string]>> = {
  no_endpoint: [
    "EVENER_NO_ENDPOINT",
    "it has no backend with the labels that the route asks for, or none whose name could be resolved",
  ],
  all_drained: [
    "EVENER_ALL_DRAINED",
    "every backend is drained; take one back by the admin API or its agent",
  ],
  all_down: ["EVENER_ALL_DOWN", "no backend is healthy; see the status page for the reasons"],
  all_tried: ["EVENER_ALL_TRIED", "every healthy backend has failed this request"],
  saturated: ["EVENER_SATURATED", "every backend is at its limit and there is no queue; send it again later"],
  queue_full: [
    "EVENER_QUEUE_FULL",
    "every backend is at its limit and the queue is full; send it again later",
  ],
  queue_timeout: ["EVENER_QUEUE_TIMEOUT", "no backend became free within queue.wait; send it again later"],
};

function answer(
  status: number,
  code: ErrorCode,
  message: string,
  proxyError: string,
  retryAfterMs = 0,
): ErrorAnswer {
  return { kind: "error", status, code, message, proxyError, retryAfterMs };
}

/** What an answer says about its backend. Errors of the client's making say nothing. */
export function outcomeOf(status: number): Outcome {
  if (status < 500) return status === 429 ? "backend_overload" : "ok";
  if (status === 503) return "backend_overload";
  return status === 501 || status === 505 ? "ok" : "backend_error";
}

/** The answer where an attempt has failed and is not repeated. */
export const FAILURES: Readonly<Record<FailureReason, ErrorAnswer>> = {
  connect_failed: ANSWERS.connectFailed,
  backend_reset: ANSWERS.backendReset,
  backend_protocol: ANSWERS.backendProtocol,
  first_byte_timeout: ANSWERS.firstByteTimeout,
  backend_left: ANSWERS.backendLeft,
};

/** Why a request went to no pool. */
export function reasonOf(answer: OwnAnswer): EndReason {
  if (answer.kind === "fixed") return "local";
  return answer === ANSWERS.noRoute || answer.code === "EVENER_NO_MODEL" ? "no_route" : "bad_request";
}
