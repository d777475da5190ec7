import { FIELD } from "../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import type { ErrorAnswer } from "./answer.ts";
import { upgradeAnswer } from "./answers.ts";

/**
 * The protocol that the request may switch to: the first of its Upgrade that is in `allowed`, as written
 * there; null when there is none, and the request is served as if it had not asked (RFC 9110 section 7.8).
 */
export function offeredProtocol(head: RequestHead, allowed: readonly string[]): string | null {
  for (const token of tokensOf(head.upgrade ?? "")) {
    const protocol = allowed.find((each) => each.toLowerCase() === token);
    if (protocol !== undefined) return protocol;
  }
  return null;
}

/** Why the offer of `protocol` goes to no backend; null when it may (RFC 6455 sections 4.1 and 4.2.1). */
export function offerFault(head: RequestHead, protocol: string): ErrorAnswer | null {
  // Where a body is read as such by one side and as the other protocol by the other (CVE-2026-58055).
  if (head.framing !== "none") return BODY_FAULT;
  if (protocol !== WEBSOCKET) return null;
  if (head.method !== "GET") return METHOD_FAULT;
  if (onlyValue(head, FIELD.secWebsocketVersion) !== "13") return VERSION_FAULT;
  return KEY.test(onlyValue(head, FIELD.secWebsocketKey) ?? "") ? null : KEY_FAULT;
}

/** The response switches to `protocol`, and to nothing else. */
export function namesProtocol(head: ResponseHead, protocol: string): boolean {
  // Interim responses are of HTTP/1.1 (RFC 9110 section 15.2).
  if (head.minorVersion === 0) return false;
  const tokens = tokensOf(onlyValue(head, FIELD.upgrade) ?? "");
  return tokens.length === 1 && tokens[0] === protocol.toLowerCase();
}

/** The token of RFC 6455. */
export const WEBSOCKET = "websocket";

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const BODY_FAULT = upgradeAnswer(400, "a request that offers to switch protocols can not have a body");
const METHOD_FAULT = upgradeAnswer(400, "a WebSocket begins with GET");
const KEY_FAULT = upgradeAnswer(400, "Sec-WebSocket-Key must be there once, 16 bytes in base64");
const VERSION_FAULT = upgradeAnswer(426, "Sec-WebSocket-Version must be there once, and be 13");

/** Lower-case members of a list, empty ones left out. */
function tokensOf(list: string): string[] {
  return list
    .split(",")
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== "");
}

/** Value of a field that must not be there twice; null when it is, or when it is missing. */
function onlyValue(head: RequestHead | ResponseHead, id: number): string | null {
  const first = head.indexOf(id);
  if (first < 0) return null;
  for (let i = first + 1; i < head.count; i++) if (head.ids[i] === id) return null;
  return head.valueAt(first);
}
