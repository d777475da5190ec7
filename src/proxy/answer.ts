import type { ErrorCode } from "../errors.ts";
import { httpDate, statusLine } from "../http1/writer.ts";

/** An answer of our own: something went wrong, or the backend was not needed. */
export type OwnAnswer = ErrorAnswer | FixedAnswer;

/** Something went wrong. */
export interface ErrorAnswer {
  readonly kind: "error";
  readonly status: number;
  readonly code: ErrorCode;
  /** What was found and what to do. */
  readonly message: string;
  /** Token of RFC 9209 section 2.3, for `Proxy-Status`. */
  readonly proxyError: string;
  /** For `Retry-After`; 0 is none. */
  readonly retryAfterMs: number;
}

/** All is well, and no backend was needed. */
export interface FixedAnswer {
  readonly kind: "fixed";
  readonly status: number;
  /** Field lines with their CRLF, without Content-Length. */
  readonly lines: string;
  /** Bytes as latin1. */
  readonly body: string;
}

/** How the answer is dressed. */
export interface AnswerDress {
  /** Takes the shape of OpenAI's errors. */
  readonly isLlm: boolean;
  readonly isHead: boolean;
  readonly keepAlive: boolean;
  readonly requestId: string;
  /** Further lines with their CRLF. */
  readonly lines: string;
}

/** The whole response; errors are JSON in OpenAI's shape on LLM routes, else problem details (RFC 9457). */
export function answerText(answer: OwnAnswer, dress: AnswerDress): string {
  const body = answer.kind === "fixed" ? answer.body : errorBody(answer, dress.isLlm);
  let text = `${statusLine(answer.status)}date: ${httpDate(Date.now())}\r\n`;
  if (answer.status !== 204 && answer.status !== 304) text += `content-length: ${body.length}\r\n`;
  text += answer.kind === "fixed" ? answer.lines : errorLines(answer, dress.isLlm);
  if (dress.requestId !== "") text += `x-request-id: ${dress.requestId}\r\n`;
  text += dress.lines;
  if (!dress.keepAlive) text += "connection: close\r\n";
  return dress.isHead ? `${text}\r\n` : `${text}\r\n${body}`;
}

/** What we serve, for `Allow`. */
export const ALLOW_LINE = "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";

/** What a client should have offered (RFC 6455 section 4.4, RFC 9110 section 15.5.22). */
const WEBSOCKET_LINES = "sec-websocket-version: 13\r\nupgrade: websocket\r\nconnection: upgrade\r\n";

function errorLines(answer: ErrorAnswer, isLlm: boolean): string {
  let text = `content-type: ${isLlm ? "application/json" : "application/problem+json"}\r\n`;
  text += `proxy-status: evener; error=${answer.proxyError}; details="${answer.code}"\r\n`;
  if (answer.retryAfterMs > 0) text += `retry-after: ${Math.ceil(answer.retryAfterMs / 1000)}\r\n`;
  if (answer.status === 426) return text + WEBSOCKET_LINES;
  return answer.status === 405 ? text + ALLOW_LINE : text;
}

function errorBody(answer: ErrorAnswer, isLlm: boolean): string {
  return isLlm ? llmBody(answer) : problemBody(answer);
}

function llmBody({ status, code, message }: ErrorAnswer): string {
  const type = status >= 500 ? "server_error" : "invalid_request_error";
  const param = code === "EVENER_NO_MODEL" ? "model" : null;
  return ascii(JSON.stringify({ error: { message, type, param, code } }));
}

function problemBody({ status, code, message }: ErrorAnswer): string {
  return ascii(JSON.stringify({ status, title: code, detail: message }));
}

/** Heads and bodies of ours are written as latin1: what is not ASCII is escaped as JSON allows. */
function ascii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
