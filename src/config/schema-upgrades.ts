import * as z from "zod";

import { scalar, Wrong, wrong } from "./scalars.ts";

/** Protocols that clients may switch to, by their tokens in `Upgrade`. */
export function upgradeList(): z.ZodType<readonly string[]> {
  return z.array(protocol()).max(PROTOCOLS_MAX);
}

function protocol(): z.ZodType<string> {
  return scalar("protocol", { type: "string", pattern: PROTOCOL.source }, (value) => {
    if (typeof value !== "string" || !PROTOCOL.test(value)) {
      return wrong(value, "a protocol", "websocket, or another token of Upgrade");
    }
    const lower = value.toLowerCase();
    // What runs in such a tunnel are requests: no route, limit or log would see them.
    if (/^(?:h2c?|http|tls)(?:\/|$)/.test(lower)) {
      return new Wrong(`${value} would carry requests past the routes; remove it`);
    }
    return lower === "websocket" ? lower : value;
  });
}

const PROTOCOLS_MAX = 16;
/** A token, perhaps with a version (RFC 9110 section 7.8). */
const PROTOCOL = /^[\w!#$%&'*+.^`|~-]{1,64}(?:\/[\w!#$%&'*+.^`|~-]{1,64})?$/;
