import * as z from "zod";

import type { IpRange } from "../core/kit/ip-address.ts";
import { ADMIN_BIND, bind, checkToken, ipRange, listenAddress, type ListenAddress } from "./address.ts";
import type { AdminConfig, LimitsConfig, ThreadsConfig } from "./config.ts";
import type { TasksConfig } from "./config-tasks.ts";
import { named } from "./maps.ts";
import { resolverList } from "./resolvers.ts";
import { duration, integer, offOr, scalar, secret, size, text, Wrong, wrong } from "./scalars.ts";
import { backendList } from "./schema-backend.ts";
import { listenerList, type ListenerWritten } from "./schema-listener.ts";
import { poolSchema } from "./schema-pool.ts";
import { routeSchema } from "./schema-route.ts";
import { tasksSchema } from "./schema-tasks.ts";
import { upgradeList } from "./schema-upgrades.ts";
import { didYouMean } from "./suggest.ts";

const THREADS_MAX = 63;
/** Each is compared for every connection; lists of whole clouds belong into a firewall. */
const TRUSTED_MAX = 256;
const POOL_NAME = /^[A-Za-z0-9][\w.-]{0,62}$/;

const adminSchema = z
  .strictObject({
    bind: bind().prefault(ADMIN_BIND).describe("where the admin listener is"),
    token: secret().optional().describe("asked for as `Authorization: Bearer TOKEN`; needed beyond loopback"),
  })
  .transform(({ bind: { host, port }, token = null }, context): AdminConfig => {
    checkToken(host, token, context);
    return { host, port, token };
  });

const limitsSchema = z
  .strictObject({
    header_bytes: size(1024, 1_048_576).prefault("64KiB").describe("all headers of a request; beyond it 431"),
    header_count: integer(16, 1024).prefault(128).describe("headers of a request; beyond it 431"),
    uri_bytes: size(1024, 1_048_576).prefault("16KiB").describe("the request target; beyond it 414"),
    body_bytes: size(0, 1_099_511_627_776)
      .prefault(0)
      .describe("a request's body; beyond it 413; 0 = no limit"),
    connections: integer(1, 1_000_000)
      .prefault(10_000)
      .describe("client connections, all listeners together"),
    header_timeout: duration(100, 600_000).prefault("10s").describe("for a request's headers to arrive"),
    keep_alive: duration(100, 3_600_000)
      .prefault("75s")
      .describe("an unused client connection is closed after it"),
    body_progress: duration(100, 3_600_000)
      .prefault("60s")
      .describe("between two pieces of a request's body"),
    tls_handshake_timeout: duration(100, 60_000)
      .prefault("3s")
      .describe("for a client's first byte on a TLS listener, and then for the handshake"),
  })
  .transform((written): LimitsConfig => ({
    headerBytesMax: written.header_bytes,
    headerCountMax: written.header_count,
    uriBytesMax: written.uri_bytes,
    bodyBytesMax: written.body_bytes,
    connectionsMax: written.connections,
    headerTimeoutMs: written.header_timeout,
    keepAliveMs: written.keep_alive,
    bodyProgressMs: written.body_progress,
    tlsHandshakeMs: written.tls_handshake_timeout,
  }));

/** The whole file. Nothing is exported as a map of keys: the JSON Schema of it is what others walk over. */
export const fileSchema: z.ZodType<ConfigFile> = z.strictObject({
  listen: listenAddress()
    .optional()
    .describe("short for `listeners` with one entry: a port (all addresses), `host:port` or `unix:/path`"),
  backends: backendList()
    .optional()
    .describe(
      "short for `pools.default.backends` and one route for every request; `http://` may be left out",
    ),
  listeners: listenerList().optional().describe("where requests come in"),
  trusted_proxies: z
    .array(ipRange())
    .max(TRUSTED_MAX)
    .prefault([])
    .describe(
      "addresses and CIDR ranges whose `X-Forwarded-...`, `Forwarded` and PROXY headers are believed; " +
        "of everyone else they are dropped",
    ),
  forwarded_headers: z
    .enum(["x_forwarded", "forwarded", "both", "off"])
    .prefault("x_forwarded")
    .describe("which headers tell backends who asked: `X-Forwarded-...`, `Forwarded` (RFC 7239), both, none"),
  resolvers: resolverList()
    .prefault([])
    .describe("DNS servers that are asked for the names of backends; without them those of the system"),
  threads: threads()
    .prefault("auto")
    .describe(
      "data threads, which carry the requests; `auto` is one less than there are cores, at least 1, at " +
        "most 8, and where memory is limited one for each 256 MiB; with 0 the main thread carries them",
    ),
  access_log: accessLog()
    .prefault("stdout")
    .describe("one JSON line a request: to `stdout`, nowhere or to a file"),
  log: z
    .strictObject({
      level: z
        .enum(["fatal", "error", "warn", "info", "debug", "trace"])
        .prefault("info")
        .describe("what Evener says about itself, and everything above it"),
    })
    .prefault({})
    .describe("Evener's own log, on stderr"),
  pools: named("pool", POOL_NAME, poolSchema).optional().describe("groups of backends that do the same work"),
  routes: z
    .array(routeSchema)
    .min(1)
    .optional()
    .describe(
      "the most specific route that matches is taken (host, then path, then more conditions); " +
        "without routes every request goes to the only pool, or to `default`",
    ),
  upgrades: upgradeList()
    .prefault(["websocket"])
    .describe("protocols that clients may switch to by `Upgrade`; an offer of others is ignored"),
  admin: offOr(adminSchema).prefault({}).describe("status page, metrics and API for operators"),
  tasks: offOr(tasksSchema)
    .prefault("off")
    .describe("a durable queue of tasks, and the agents that run them"),
  drain: z
    .strictObject({
      timeout: duration(0, 86_400_000).prefault("30s").describe("open streams are cut after this time"),
    })
    .prefault({})
    .describe("what happens on SIGTERM: nothing new is taken, open streams go on"),
  session_keys: z
    .array(secret())
    .min(1)
    .max(2)
    .optional()
    .describe(
      "secrets that sign session cookies: the first signs, both are accepted; without them one is " +
        "made and kept",
    ),
  limits: limitsSchema.prefault({}).describe("what clients may cost"),
});

/** The file as it was written, every value read and every block's defaults filled in. */
export interface ConfigFile {
  listen?: ListenAddress | undefined;
  backends?: z.infer<ReturnType<typeof backendList>> | undefined;
  listeners?: ListenerWritten[] | undefined;
  trusted_proxies: IpRange[];
  forwarded_headers: "x_forwarded" | "forwarded" | "both" | "off";
  resolvers: string[];
  threads: ThreadsConfig;
  access_log: AccessLogWritten;
  log: { level: "fatal" | "error" | "warn" | "info" | "debug" | "trace" };
  pools?: Record<string, z.infer<typeof poolSchema>> | undefined;
  routes?: z.infer<typeof routeSchema>[] | undefined;
  upgrades: readonly string[];
  admin: AdminConfig | null;
  tasks: TasksConfig | null;
  drain: { timeout: number };
  session_keys?: string[] | undefined;
  limits: LimitsConfig;
}

/** `path` as written: relative paths start at the configuration file. */
export type AccessLogWritten =
  | { kind: "stdout" | "off" }
  | { kind: "file"; path: string; hasHashes: boolean };

function threads(): z.ZodType<ThreadsConfig> {
  const json = { anyOf: [{ enum: ["auto"] }, { type: "integer", minimum: 0, maximum: THREADS_MAX }] };
  return scalar(`auto or whole number, 0 to ${THREADS_MAX}`, json, (value) => {
    if (value === "auto") return value;
    const isWritten = typeof value === "number" || typeof value === "string";
    const count = isWritten && /^\d{1,4}$/.test(String(value)) ? Number(value) : Number.NaN;
    if (count <= THREADS_MAX) return count;
    const hint = typeof value === "string" ? didYouMean(value, ["auto"]) : undefined;
    return wrong(value, `auto or a number of threads up to ${THREADS_MAX}`, "auto", hint);
  });
}

function accessLog(): z.ZodType<AccessLogWritten> {
  const word = scalar("stdout, off or file", { type: "string" }, (value): AccessLogWritten | Wrong => {
    if (value === "stdout" || value === "off") return { kind: value };
    // A mistyped word must not become a file of that name.
    if (typeof value === "string" && /[./]/.test(value))
      return { kind: "file", path: value, hasHashes: false };
    const hint = typeof value === "string" ? didYouMean(value, ["stdout", "off"]) : undefined;
    return wrong(value, "stdout, off or a file", "./access.log for a file of this directory", hint);
  });
  const file = text("text", { what: "a file's path", example: "/var/log/evener/access.log" });
  const map = z.strictObject({
    file: file.describe("path of the file; lines are appended"),
    prompt_hashes: z
      .boolean()
      .prefault(false)
      .describe(
        "lines of prompts carry hashes of their beginnings, for `evener simulate --record`: some hundred " +
          "bytes each, and no text",
      ),
  });
  const read = ({ file: path, prompt_hashes: hasHashes }: z.infer<typeof map>): AccessLogWritten => ({
    kind: "file",
    path,
    hasHashes,
  });
  return z.union([word, map.transform(read)]);
}
