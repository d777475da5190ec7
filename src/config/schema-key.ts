import type * as z from "zod";

import type { KeySpec } from "./config.ts";
import { KEY_PATTERN, NAMED_PATTERN, parseKeySpec } from "./key-spec.ts";
import { scalar, Wrong, wrong } from "./scalars.ts";
import { nearest } from "./suggest.ts";

/** A session's key. */
export function sessionKey(): z.ZodType<KeySpec> {
  return scalar("key", { type: "string", pattern: `^cookie$|${KEY_PATTERN}` }, (value) => {
    const key = typeof value === "string" ? parseKeySpec(value) : null;
    return key ?? wrong(value, "a key", `cookie, ${FORMS}`, keyHint(value));
  });
}

/** Where backends name sessions in their answers, and clients in their requests. */
export function learnKey(): z.ZodType<KeySpec> {
  return headKey((value) => {
    if (value === "cookie") return new Wrong(`expected the name of a cookie; write cookie:NAME`);
    return wrong(value, "what backends set", "cookie:NAME or header:NAME", keyHint(value, IN_HEAD));
  });
}

/** Where the tenant of a prompt stands. */
export function tenantKey(): z.ZodType<KeySpec> {
  return headKey((value) => {
    return wrong(value, "where the tenant stands", "header:NAME or cookie:NAME", keyHint(value, IN_HEAD));
  });
}

/** A policy's key: there is no session cookie to read; stays a text. */
export function policyKey(): z.ZodType<string> {
  return scalar("key", { type: "string", pattern: KEY_PATTERN }, (value) => {
    const key = typeof value === "string" ? parseKeySpec(value) : null;
    if (key?.from === "session_cookie") {
      return new Wrong(`a policy has no session cookie; write cookie:NAME, or use "session: cookie"`);
    }
    return key === null ? wrong(value, "a key", FORMS, keyHint(value)) : (value as string);
  });
}

/** A header or a cookie; `refuse` says of all else what was expected. */
function headKey(refuse: (value: unknown) => Wrong): z.ZodType<KeySpec> {
  const pattern = NAMED_PATTERN.replace("header|cookie|query|body", "header|cookie");
  return scalar("key", { type: "string", pattern }, (value) => {
    const key = typeof value === "string" ? parseKeySpec(value) : null;
    return key?.from === "header" || key?.from === "cookie" ? key : refuse(value);
  });
}

const NAMED_SOURCES = ["header", "cookie", "query", "body"];
const IN_HEAD = ["header", "cookie"];
const FORMS = "header:NAME, cookie:NAME, query:NAME, body:FIELD, path or client_ip";

function keyHint(value: unknown, sources: readonly string[] = NAMED_SOURCES): string | undefined {
  if (typeof value !== "string") return undefined;
  const colon = value.indexOf(":");
  if (colon < 0) {
    const word = nearest(value, ["cookie", "path", "client_ip"]);
    return word === undefined ? undefined : `did you mean "${word}"?`;
  }
  const from = nearest(value.slice(0, colon), sources);
  const name = value.slice(colon + 1).trim();
  return from === undefined || name === "" ? undefined : `did you mean "${from}:${name}"?`;
}
