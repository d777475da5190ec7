import { ERRORS, type ErrorCode } from "../errors.ts";
import { httpDate, statusLine } from "../http1/writer.ts";

/** An answer of a control listener, whole. */
export interface ControlAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Text goes out as UTF-8, bytes as they are. */
  readonly body: string | Uint8Array;
  /** Further header lines, each with its CRLF; ASCII. */
  readonly lines: string;
}

/** 200 with `value` as JSON. NaN and infinities become null. */
export function jsonAnswer(value: unknown, status = 200): ControlAnswer {
  return { status, contentType: JSON_TYPE, body: `${JSON.stringify(value)}\n`, lines: "" };
}

/** An error in the one shape that they all have. `message`: what was found and what to do. */
export function errorAnswer(code: ErrorCode, message: string = ERRORS[code], lines = ""): ControlAnswer {
  return { ...jsonAnswer({ error: { code, message } }, STATUS[code] ?? 500), lines };
}

/** 200 with text of another type; `lines` as in {@link ControlAnswer}. */
export function textAnswer(contentType: string, body: string, lines = ""): ControlAnswer {
  return { status: 200, contentType, body, lines };
}

/** The bytes of the whole response, UTF-8. */
export function answerBytes(answer: ControlAnswer, isHead: boolean, keepAlive: boolean): Buffer {
  let head = answerHead(answer.status, answer.contentType) + answer.lines;
  head += `content-length: ${Buffer.byteLength(answer.body)}\r\n`;
  if (!keepAlive) head += "connection: close\r\n";
  const { body } = answer;
  if (isHead) return Buffer.from(`${head}\r\n`, "latin1");
  if (typeof body === "string") return Buffer.from(`${head}\r\n${body}`, "utf8");
  return Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), body]);
}

/**
 * Status line and the fields that every answer has: nothing of this is for a cache, a frame or another site.
 */
export function answerHead(status: number, contentType: string): string {
  return (
    `${statusLine(status)}content-type: ${contentType}\r\ndate: ${httpDate(Date.now())}\r\n` +
    "cache-control: no-store\r\nx-content-type-options: nosniff\r\n" +
    "cross-origin-resource-policy: same-origin\r\nreferrer-policy: no-referrer\r\n"
  );
}

const JSON_TYPE = "application/json";

const STATUS: Partial<Record<ErrorCode, number>> = {
  EVENER_BAD_REQUEST: 400,
  EVENER_BAD_VALUE: 400,
  EVENER_UNAUTHORIZED: 401,
  EVENER_FORBIDDEN: 403,
  EVENER_NOT_FOUND: 404,
  EVENER_METHOD_NOT_ALLOWED: 405,
  EVENER_HEADER_TIMEOUT: 408,
  EVENER_PAYLOAD_TOO_LARGE: 413,
  EVENER_NOT_JSON: 415,
  EVENER_INTERNAL: 500,
  EVENER_STREAMS_FULL: 503,
  EVENER_TASK_STATE: 409,
  EVENER_TASK_BACKLOG: 429,
  EVENER_STORE_FAILED: 503,
  EVENER_STORE_FULL: 507,
};
