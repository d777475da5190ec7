import type { ErrorCode } from "../errors.ts";
import { httpDate, statusLine } from "../http1/writer.ts";

/** An answer of our own. */
export interface OwnAnswer {
  readonly status: number;
  readonly code: ErrorCode;
  /** What was found and what to do. */
  readonly message: string;
  /** Token of RFC 9209 section 2.3, for `Proxy-Status`. */
  readonly proxyError: string;
  /** For `Retry-After`; 0 is none. */
  readonly retryAfterMs: number;
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

/** The whole response: JSON in OpenAI's error shape on LLM routes, else as problem details (RFC 9457). */
export function answerText(answer: OwnAnswer, dress: AnswerDress): string {
  const body = dress.isLlm ? llmBody(answer) : problemBody(answer);
  const type = dress.isLlm ? "application/json" : "application/problem+json";
  let text = statusLine(answer.status);
  text += `content-type: ${type}\r\ncontent-length: ${body.length}\r\ndate: ${httpDate(Date.now())}\r\n`;
  text += `proxy-status: evener; error=${answer.proxyError}; details="${answer.code}"\r\n`;
  if (answer.retryAfterMs > 0) text += `retry-after: ${Math.ceil(answer.retryAfterMs / 1000)}\r\n`;
  if (answer.status === 405) text += "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
  if (dress.requestId !== "") text += `x-request-id: ${dress.requestId}\r\n`;
  text += dress.lines;
  if (!dress.keepAlive) text += "connection: close\r\n";
  return dress.isHead ? `${text}\r\n` : `${text}\r\n${body}`;
}

function llmBody({ status, code, message }: OwnAnswer): string {
  const type = status >= 500 ? "server_error" : "invalid_request_error";
  return ascii(JSON.stringify({ error: { message, type, param: null, code } }));
}

function problemBody({ status, code, message }: OwnAnswer): string {
  return ascii(JSON.stringify({ status, title: code, detail: message }));
}

/** Heads and bodies of ours are written as latin1: what is not ASCII is escaped as JSON allows. */
function ascii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
