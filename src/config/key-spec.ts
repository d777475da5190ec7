import type { KeySpec } from "./config.ts";

/**
 * Reads `cookie` (our own session cookie), `header:NAME`, `cookie:NAME`, `query:NAME`, `body:FIELD`, `path`
 * or `client_ip`; null for anything else. Header names come back in lower case.
 */
export function parseKeySpec(text: string): KeySpec | null {
  if (text === "cookie") return { from: "session_cookie" };
  if (text === "path" || text === "client_ip") return { from: text };
  const match = NAMED.exec(text);
  if (match === null) return null;
  const from = match[1] as "header" | "cookie" | "query" | "body";
  const name = match[2]!;
  return { from, name: from === "header" ? name.toLowerCase() : name };
}

const NAMED = /^(header|cookie|query|body):([\w.!#$%&'*+^`|~-]{1,128})$/;

/** `SOURCE:NAME`. */
export const NAMED_PATTERN: string = NAMED.source;
/** What {@link parseKeySpec} reads, but for `cookie`. */
export const KEY_PATTERN: string = `^path$|^client_ip$|${NAMED.source}`;
