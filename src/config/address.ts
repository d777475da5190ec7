import type * as z from "zod";

import { type IpRange, ipRangeText, isLoopback, parseIpRange } from "../core/kit/ip-address.ts";
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

/** {@link bind}, or a unix socket: `unix:/path`. */
export function listenAddress(): z.ZodType<ListenAddress> {
  const json = { type: ["integer", "string"], minimum: 0, maximum: PORT_MAX };
  return scalar("port, host:port or unix:/path", json, (value) => {
    if (typeof value === "number" || typeof value === "string") return parseListen(String(value));
    return wrong(value, "a port, host:port or unix:/path", LISTEN_EXAMPLE);
  });
}

/** Where a listener is. */
export interface ListenAddress extends BindConfig {
  /** null = TCP. */
  readonly socketPath: string | null;
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
export interface BackendAddress extends ListenAddress {
  readonly isTls: boolean;
  /** `http://host:port`, `https://host:port` or `unix:/path`. */
  readonly url: string;
  /** `host:port` or `unix:/path`, the id of a backend that has none of its own. */
  readonly authority: string;
}

/** Where the admin listener is if nothing is written. */
export const ADMIN_BIND = "127.0.0.1:9901";
/** Where tasks are asked for, unless the file says otherwise. */
export const TASKS_BIND = "127.0.0.1:9902";

/** A control listener that others than this machine can reach must have a token. */
export function checkToken(host: string, token: string | null, context: z.RefinementCtx): void {
  if (token !== null || isLoopback(host)) return;
  const message = `${host} can be reached from other machines; write a "token" or bind to 127.0.0.1`;
  const params = { code: "EVENER_ADMIN_TOKEN_REQUIRED" };
  context.addIssue({ code: "custom", path: ["bind"], message, params });
}

/** Reads {@link listenAddress}'s texts. */
export function parseListen(text: string): ListenAddress | Wrong {
  const path = parseUnix(text);
  if (path instanceof Wrong) return path;
  if (path !== null) return { host: "", port: 0, socketPath: path };
  const address = parseBind(text);
  return address instanceof Wrong ? address : { ...address, socketPath: null };
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

/**
 * Reads `http://host:port` (port 80 when none is written), `https://host:port` (443), `host:port`,
 * `unix:/path` or `http+unix:///path`.
 */
export function parseBackendUrl(written: string): BackendAddress | Wrong {
  const path = parseUnix(written);
  if (path instanceof Wrong) return path;
  if (path !== null) {
    const name = `unix:${path}`;
    return { host: "", port: 0, socketPath: path, isTls: false, url: name, authority: name };
  }
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(written)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    return new Wrong(`backends are reached by http or https, not ${scheme}; write http://host:port`);
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
  const isTls = scheme === "https";
  const port = portOf(rest, isTls);
  const authority = `${url.hostname}:${port}`;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port,
    socketPath: null,
    isTls,
    url: `${isTls ? "https" : "http"}://${authority}`,
    authority,
  };
}

/** The path of a unix socket; null where the text is none. */
function parseUnix(text: string): string | null | Wrong {
  const written = /^(?:http\+)?unix:(?:\/\/)?(.*)$/i.exec(text)?.[1];
  if (written === undefined) return null;
  // Some programs write the path where a URL has its host: http+unix://%2Frun%2Fvllm.sock.
  const path = written.replaceAll(/%2f/gi, "/");
  if (!path.startsWith("/") || path.endsWith("/")) {
    return wrong(text, "the whole path of a unix socket", "unix:/run/vllm.sock");
  }
  // It is a name in logs, metrics and headers as well.
  if (!SOCKET_PATH.test(path)) {
    return wrong(text, "the path of a unix socket", "one of letters, digits and . _ - + @ : ~ /");
  }
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return path;
  return new Wrong(
    `the path of a unix socket has ${bytes} bytes; systems allow ${SOCKET_PATH_BYTES_MAX}: shorten it`,
  );
}

/** `URL` leaves the port of its scheme out, also where it was written. */
function portOf(rest: string, isTls: boolean): number {
  const written = /:(\d+)\/?$/.exec(rest)?.[1];
  return written === undefined ? (isTls ? 443 : 80) : Number(written);
}

const PORT_MAX = 65_535;
const ALL_ADDRESSES = "0.0.0.0";
const LISTEN_EXAMPLE = "8080, 127.0.0.1:8080 or unix:/run/evener.sock";
const SOCKET_PATH = /^[\w./+@:~-]+$/;
/** Of `sun_path`, on Linux 108 with its zero, on macOS 104. */
const SOCKET_PATH_BYTES_MAX = 103;
