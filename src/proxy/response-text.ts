// Hot path: the head of a response as one string.
import { FIELD } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/head.ts";
import { httpDate } from "../http1/writer.ts";
import type { Admission } from "./admit.ts";
import { answerText, type OwnAnswer } from "./answer.ts";
import { interimLines, responseLines } from "./forwarding.ts";
import { hasMoved, learnFrom } from "./learned-session.ts";
import type { RelayMode } from "./relay.ts";
import type { RequestRecord } from "./record.ts";

/** How the body of this response goes to the client. */
export function relayMode(head: ResponseHead, isOldClient: boolean): RelayMode {
  if (head.framing === "none") return "none";
  if (head.framing === "length") return "plain";
  // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
  return isOldClient ? "close" : "chunked";
}

/** Status line and fields for the client, the empty line included. */
export function responseText(
  head: ResponseHead,
  mode: RelayMode,
  record: RequestRecord,
  keepAlive: boolean,
  admission: Admission,
): string {
  // A HEAD's answer says how its body would come: nothing is known of that where it would be chunked.
  let text = responseLines(head, mode === "chunked", admission.route.responseFields, admission.asksForLoad);
  if (head.indexOf(FIELD.date) < 0) text += `date: ${httpDate(Date.now())}\r\n`;
  text += decisionLines(record);
  text += `x-request-id: ${record.requestId}\r\n${sessionLine(head, admission, record)}`;
  return keepAlive ? `${text}\r\n` : `${text}connection: close\r\n\r\n`;
}

/** The 101 for the client, the empty line included. */
export function switchText(head: ResponseHead, admission: Admission, record: RequestRecord): string {
  const text = `${interimLines(head)}upgrade: ${admission.upgrade}\r\nconnection: upgrade\r\n`;
  const lines = sessionLine(head, admission, record);
  return `${text}${decisionLines(record)}x-request-id: ${record.requestId}\r\n${lines}\r\n`;
}

/** What was decided about the request, for whoever looks at its answer. */
function decisionLines(record: RequestRecord): string {
  if (record.backend === "") return "";
  const isUsual = record.attempts === 1 && record.queueMs < 0 && record.reason === "policy";
  if (isUsual) return usualLines(record);
  const queueMs = record.queueMs < 0 ? 0 : Math.round(record.queueMs);
  const decision = `x-evener-backend: ${record.backend}\r\nx-evener-attempts: ${record.attempts}\r\n`;
  return `${decision}x-evener-queue-ms: ${queueMs}\r\nx-evener-reason: ${record.reason}\r\n`;
}

/** Nearly always: the policy chose, at once. Made once for each backend that a client connection meets. */
function usualLines(record: RequestRecord): string {
  if (record.usualBackend !== record.backend) {
    record.usualBackend = record.backend;
    record.usualLines =
      `x-evener-backend: ${record.backend}\r\nx-evener-attempts: 1\r\n` +
      "x-evener-queue-ms: 0\r\nx-evener-reason: policy\r\n";
  }
  return record.usualLines;
}

/** The whole text of an answer of our own; `admission` null: before there was a route. */
export function ownResponse(
  answer: OwnAnswer,
  record: RequestRecord,
  keepAlive: boolean,
  admission: Admission | null,
): string {
  const { isLlm, method, requestId } = record;
  const lines = decisionLines(record) + (admission?.route.responseFields?.linesOfOwn ?? "");
  return answerText(answer, { isLlm, isHead: method === "HEAD", keepAlive, requestId, lines });
}

/**
 * What an answer means for the session: it is learned from, or our cookie has to be set, as the session
 * begins or moves. A home that was only full stays the home.
 */
function sessionLine(head: ResponseHead, admission: Admission, record: RequestRecord): string {
  const { cookies, learner } = admission.traffic;
  if (learner !== null) learnFrom(head, admission, record);
  if (cookies === null || !hasMoved(admission, record)) return "";
  return cookies.setCookieLine(record.backend, Date.now(), record.isSecure);
}
