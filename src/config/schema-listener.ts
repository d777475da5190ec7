import * as z from "zod";

import { listenAddress, type ListenAddress } from "./address.ts";
import { scalar, wrong, yesOrNo } from "./scalars.ts";
import { listenerTlsSchema, type ListenerTlsWritten } from "./schema-tls.ts";

const listenerSchema = z
  .strictObject({
    bind: listenAddress().describe(
      "a port (all addresses), `host:port` or `unix:/path`; IPv6 addresses in brackets",
    ),
    proxy_protocol: yesOrNo()
      .prefault(false)
      .describe("every connection begins with a PROXY header (v1 or v2) of one of `trusted_proxies`"),
    tls: listenerTlsSchema.optional().describe("speaks HTTPS; without it plain HTTP"),
    socket_mode: fileMode()
      .optional()
      .describe("who may connect to a unix socket, as of a file: `660`, the default, is owner and group"),
  })
  .transform((written, context): ListenerWritten => {
    const { bind, tls = null, socket_mode, proxy_protocol: proxyProtocol } = written;
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: "custom", path: [key], message, params: { at: "key" } });
    };
    const isUnix = bind.socketPath !== null;
    if (!isUnix && socket_mode !== undefined) {
      refuse("socket_mode", "is for unix sockets, and this listener is none; remove it");
    }
    if (isUnix && tls !== null)
      refuse("tls", "is of no use on a unix socket, whose bytes never leave this machine; remove it");
    if (isUnix && proxyProtocol) {
      refuse(
        "proxy_protocol",
        "wants a peer of trusted_proxies, and a unix socket has no addresses; remove it",
      );
    }
    return { bind, tls, proxyProtocol, socketMode: socket_mode ?? SOCKET_MODE };
  });

/** One listener before its files are read. */
export interface ListenerWritten {
  readonly bind: ListenAddress;
  readonly proxyProtocol: boolean;
  readonly tls: ListenerTlsWritten | null;
  readonly socketMode: number;
}

/** Owner and group may connect. */
export const SOCKET_MODE = 0o660;

/** The listeners of a file. */
export function listenerList(): z.ZodType<ListenerWritten[]> {
  return z.array(listenerSchema).min(1);
}

function fileMode(): z.ZodType<number> {
  const json = { type: ["string", "integer"], pattern: "^0?[0-7]{3}$" };
  return scalar("file mode, three octal digits", json, (value) => {
    const isWritten = typeof value === "string" || typeof value === "number";
    const digits = isWritten ? /^0?([0-7]{3})$/.exec(String(value))?.[1] : undefined;
    return digits === undefined ? wrong(value, "a file mode", "660") : Number.parseInt(digits, 8);
  });
}
