import { hashText } from "../core/kit/hash.ts";

/** Where a socket is: an address (or name) and a port, or the path of a unix socket. */
export interface Address {
  /** Without brackets; "" for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Absent or null: TCP. */
  readonly socketPath?: string | null;
}

/**
 * The name that a unix socket for `path` is bound to, in the same folder, before it gets that one: what the
 * system shows as its address.
 */
export function boundPath(path: string): string {
  const slash = path.lastIndexOf("/") + 1;
  return `${path.slice(0, slash)}.${(hashText(path) >>> 0).toString(16).padStart(8, "0")}`;
}

/** What logs show as the address of a peer that came through a unix socket: it has none of its own. */
export const UNIX_PEER = "unix:";

/** As people write it: `10.0.0.1:8000`, `[::1]:8000`, `unix:/run/vllm.sock`. */
export function addressText({ host, port, socketPath = null }: Address): string {
  return socketPath === null ? `${bracketed(host)}:${port}` : `unix:${socketPath}`;
}

/** The host as it stands in a URL or a Host line. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
