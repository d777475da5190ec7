import { hashText } from "../core/kit/hash.ts";
import { NO_KEY } from "../core/work.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";

/** Where a hash or session key is read from. */
export type KeySource =
  | { readonly from: "header" | "cookie" | "query" | "body"; readonly name: string }
  | { readonly from: "path" | "client_ip" | "session_cookie" };

/**
 * The key's hash, or {@link NO_KEY} when the request does not carry it (yet: a body field comes with the
 * body).
 */
export function keyOf(source: KeySource, head: RequestHead, clientAddress: string): number {
  const text = keyText(source, head, clientAddress);
  return text === null || text === "" ? NO_KEY : hashText(text);
}

/** The key itself, or null. */
export function keyText(source: KeySource, head: RequestHead, clientAddress: string): string | null {
  switch (source.from) {
    case "header":
      return head.get(source.name);
    case "cookie":
      return cookieOf(head, source.name);
    case "query":
      return queryValue(head.query, source.name);
    case "path":
      return head.path;
    case "client_ip":
      return clientAddress;
    case "body":
    case "session_cookie":
      return null;
  }
}

/** The value of one cookie, in whichever Cookie field it stands, or null. */
export function cookieOf(head: RequestHead, name: string): string | null {
  for (let i = 0; i < head.count; i++) {
    const value = head.ids[i] === FIELD.cookie ? cookieValue(head.valueAt(i), name) : null;
    if (value !== null) return value;
  }
  return null;
}

function cookieValue(cookies: string, name: string): string | null {
  for (const pair of cookies.split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

function queryValue(query: string, name: string): string | null {
  if (query === "") return null;
  return new URLSearchParams(query).get(name);
}

/**
 * The key in a top-level field of a JSON body; {@link NO_KEY} when it is not there or is no text or number.
 */
export function bodyKeyOf(field: string, chunks: readonly Buffer[]): number {
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body !== "object" || body === null || !Object.hasOwn(body, field)) return NO_KEY;
    const value = (body as Record<string, unknown>)[field];
    return typeof value === "string" || typeof value === "number" ? hashText(String(value)) : NO_KEY;
  } catch {
    // Not JSON: for the backend to judge, not for us.
    return NO_KEY;
  }
}
