import type * as z from "zod";

import { type IpRange, ipRangeText, parseIpRange } from "../core/kit/ip-address.ts";
import type { BindConfig } from "./config.ts";
import { scalar, Wrong, wrong } from "./scalars.ts";

/** Where to listen: a port (all addresses), `host:port`, `[::1]:port` or `:port`. */
export function bind(): z.ZodType<BindConfig> {
  const json = { type: ["integer", "string"], minimum: 0, maximum: PORT_MAX };
  return scalar("port or host:port", json, (value) => {
    if (typeof value === "number" || typeof value === "string") return parseBind(String(value));
    return wrong(value, "a port or host:port", "8080 or 127.0.0.1:8080");
  });
}

/** Address of a model server. */
export function backendUrl(): z.ZodType<BackendAddress> {
  return scalar("URL", { type: "string" }, (value) => {
    if (typeof value === "string") return parseBackendUrl(value);
    return wrong(value, "a URL", "http://10.0.0.1:8000");
  });
}

/** An address or a range of them, in CIDR notation. */
export function ipRange(): z.ZodType<IpRange> {
  return scalar("address or CIDR range", { type: "string" }, (value) => {
    const parsed = typeof value === "string" ? parseIpRange(value) : null;
    if (parsed === null)
      return wrong(value, "an address or a CIDR range", "10.0.0.0/8, 192.0.2.7 or fd00::/8");
    if (parsed.isExact) return parsed.range;
    return new Wrong(`${String(value)} has bits behind its prefix; write ${ipRangeText(parsed.range)}`);
  });
}

/** Where a backend listens, as its URL says. */
export interface BackendAddress extends BindConfig {
  /** `http://host:port`. */
  readonly url: string;
  /** `host:port`, the id of a backend that has none of its own. */
  readonly authority: string;
}

/** Where the admin listener is if nothing is written. */
export const ADMIN_BIND = "127.0.0.1:9901";

/** Whether only this machine can reach a listener that is bound to `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Reads {@link bind}'s texts. */
export function parseBind(text: string): BindConfig | Wrong {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]\s/]*):)?(\d{1,5})$/.exec(text);
  if (match === null) return wrong(text, "a port or host:port", "8080 or 127.0.0.1:8080");
  const port = Number(match[2]);
  if (port > PORT_MAX) return new Wrong(`port ${port} is too high; write 1 to ${PORT_MAX}`);
  const written = match[1] ?? "";
  if (written === "" || written === "*") return { host: ALL_ADDRESSES, port };
  const address = parseBackendUrl(`http://${written}:1`);
  if (address instanceof Wrong) return wrong(text, "a port or host:port", "8080 or 127.0.0.1:8080");
  return { host: address.host, port };
}

/** Reads `http://host:port` (port 80 when none is written) or `host:port`. */
export function parseBackendUrl(written: string): BackendAddress | Wrong {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(written)?.[1]?.toLowerCase();
  if (scheme === "https")
    return new Wrong("TLS to backends comes with a later version; write http://host:port");
  if (scheme !== undefined && scheme !== "http") {
    return new Wrong(`backends are reached by http, not ${scheme}; write http://host:port`);
  }
  if (scheme === undefined && !/:\d+$/.test(written)) {
    return wrong(written, "a URL", "http://host:port (a port is needed)");
  }
  const rest = scheme === undefined ? written : written.slice(scheme.length + 3);
  // Before any message that shows the URL: there may be a password in it.
  if (rest.includes("@")) {
    return new Wrong(`a user in a backend's URL is not sent; write "headers: { authorization: ... }"`);
  }
  const url = URL.parse(`http://${rest}`);
  if (url === null) return wrong(written, "a URL", "http://host:port");
  if (url.pathname !== "/" || /[?#\\]/.test(rest)) {
    return new Wrong(
      "a backend's URL ends with the port: requests keep their own path; write http://host:port",
    );
  }
  // URL also reads 0x7f.1 and 2130706433 as addresses, which nobody means.
  const isName =
    url.hostname.startsWith("[") || rest.toLowerCase().replace(/(:\d*)?\/?$/, "") === url.hostname;
  if (!isName || url.port === "0") return wrong(written, "a URL", "http://host:port");
  const port = url.port === "" ? 80 : Number(url.port);
  const authority = `${url.hostname}:${port}`;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { host, port, url: `http://${authority}`, authority };
}

const PORT_MAX = 65_535;
const ALL_ADDRESSES = "0.0.0.0";
