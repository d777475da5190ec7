/** Where a socket is: an address (or name) and a port, or the path of a unix socket. */
export interface Address {
  /** Without brackets; "" for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Absent or null: TCP. */
  readonly socketPath?: string | null;
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
