import net from "node:net";
import * as z from "zod";

import { scalar, wrong } from "./scalars.ts";

/** The DNS servers that are asked for names of backends. */
export function resolverList(): z.ZodType<string[]> {
  return z.array(resolver()).max(RESOLVERS_MAX);
}

/** An address, with or without a port; comes back as `ADDRESS:PORT`, IPv6 in brackets. */
function resolver(): z.ZodType<string> {
  return scalar("address of a DNS server", { type: "string" }, (value) => {
    const read = typeof value === "string" ? parseResolver(value) : null;
    return read ?? wrong(value, "the address of a DNS server", "10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53");
  });
}

function parseResolver(text: string): string | null {
  if (net.isIPv6(text)) return `[${text}]:${DNS_PORT}`;
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const [, six, four, written] = match;
  const port = written === undefined ? DNS_PORT : Number(written);
  if (port < 1 || port > PORT_MAX) return null;
  if (six !== undefined) return net.isIPv6(six) ? `[${six}]:${port}` : null;
  return net.isIPv4(four!) ? `${four}:${port}` : null;
}

/** Each may be waited for before the next is asked. */
const RESOLVERS_MAX = 8;
const DNS_PORT = 53;
const PORT_MAX = 65_535;
