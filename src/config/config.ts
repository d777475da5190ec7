import type { IpRange } from "../core/kit/ip-address.ts";
import type { RouteConfig } from "./config-route.ts";
import type { TasksConfig } from "./config-tasks.ts";

/**
 * The configuration as the rest of the product reads it: every default filled in, numbers with their unit
 * last.
 */
export interface Config {
  readonly listeners: readonly ListenerConfig[];
  /** Peers whose forwarding fields and PROXY headers are believed; IPv4 ranges as IPv4-mapped ones. */
  readonly trustedProxies: readonly IpRange[];
  /** Which fields tell backends who asked. */
  readonly forwardedHeaders: "x_forwarded" | "forwarded" | "both" | "off";
  /** DNS servers for the names of backends, `ADDRESS:PORT` each; none = those of the system. */
  readonly resolvers: readonly string[];
  readonly threads: ThreadsConfig;
  readonly accessLog: AccessLogConfig;
  readonly logLevel: LogLevel;
  /** At least one; names are unique. */
  readonly pools: readonly PoolConfig[];
  /** At least one; the most specific that matches wins. Every pool that they name is in `pools`. */
  readonly routes: readonly RouteConfig[];
  /** null = no admin listener. */
  readonly admin: AdminConfig | null;
  /** null = no tasks. */
  readonly tasks: TasksConfig | null;
  /** How long open streams may go on after a stop was asked for. */
  readonly drainTimeoutMs: number;
  /** None, one or two secrets; the first signs session cookies, all verify them. */
  readonly sessionKeys: readonly string[];
  readonly limits: LimitsConfig;
  /** Absolute paths of the files that this was read from beside its own: certificates, keys, secrets. */
  readonly files: readonly string[];
}

/** Where requests come in. */
export interface ListenerConfig extends BindConfig {
  /** A unix socket (`host` is "" and `port` 0 then); null = TCP. */
  readonly socketPath: string | null;
  /** Mode of the unix socket's file. */
  readonly socketMode: number;
  /** Every connection begins with a PROXY header (v1 or v2) of a trusted proxy. */
  readonly proxyProtocol: boolean;
  /** null = plain HTTP. */
  readonly tls: ListenerTlsConfig | null;
}

/** How clients are spoken to by TLS; certificates and keys are PEM texts. */
export interface ListenerTlsConfig {
  /** At least one; the first is for names that are in none. */
  readonly certificates: readonly CertificateConfig[];
  /** Who may vouch for clients; null = clients are not asked for a certificate. */
  readonly clientCa: string | null;
  readonly clientAuth: "require" | "request";
  /** The same as {@link LimitsConfig.tlsHandshakeMs}. */
  readonly handshakeTimeoutMs: number;
}

/** A certificate with those that vouch for it, and its key. */
export interface CertificateConfig {
  readonly cert: string;
  readonly key: string;
}

/** Data threads; 0 = the main thread carries the requests. */
export type ThreadsConfig = "auto" | number;

/** An address to listen on. */
export interface BindConfig {
  /** An address or name without brackets; `0.0.0.0` and `::` mean every address. */
  readonly host: string;
  /** 0..65535; 0 = any free port. */
  readonly port: number;
}

export type AccessLogConfig =
  | { readonly kind: "stdout" | "off" }
  /** `path` is absolute. */
  | { readonly kind: "file"; readonly path: string };

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace";

/** Where the admin listener is, and who may use it. */
export interface AdminConfig extends BindConfig {
  /** null only where `host` is loopback. */
  readonly token: string | null;
}

/** What clients may cost; each is a bound for one connection or request unless said otherwise. */
export interface LimitsConfig {
  readonly headerBytesMax: number;
  readonly headerCountMax: number;
  readonly uriBytesMax: number;
  /** 0 = no limit. */
  readonly bodyBytesMax: number;
  /** Client connections of the whole process. */
  readonly connectionsMax: number;
  readonly headerTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly bodyProgressMs: number;
  readonly tlsHandshakeMs: number;
}

/** Backends that can serve the same requests, and the rules for choosing among them. */
export interface PoolConfig {
  readonly name: string;
  readonly policy: PolicyConfig;
  /** At least one; ids are unique in the pool. */
  readonly backends: readonly BackendConfig[];
  readonly agentCheck: AgentCheckConfig | null;
  readonly health: HealthConfig | null;
  readonly outlier: OutlierConfig | null;
  readonly slowdown: SlowdownConfig | null;
  /** 0 = off. */
  readonly slowStartMs: number;
  readonly session: SessionConfig | null;
  readonly queue: QueueConfig | null;
  readonly retry: RetryConfig | null;
  readonly timeouts: TimeoutsConfig;
  /** When a lower priority group takes over: all above are down, or all above are down or full. */
  readonly failover: "down" | "full";
  readonly connections: ConnectionsConfig;
  /** The version of the PROXY header that begins every connection to its backends; null = none. */
  readonly proxyProtocol: "v1" | "v2" | null;
  /** Whose prompts are whose, for the cache that they find; null = all are everybody's. */
  readonly promptTenant: KeySpec | null;
  /** Each request asks its backend for a load report (ORCA) in that format; null = none does. */
  readonly loadReports: "text" | "json" | null;
}

/** A policy of the menu with its options. */
export interface PolicyConfig {
  readonly name: string;
  /** Every option of the policy by its name as written; durations in milliseconds. */
  readonly options: Readonly<Record<string, number | string>>;
}

/** One backend of a pool. */
export interface BackendConfig {
  readonly id: string;
  /** Without brackets; "" for a unix socket. */
  readonly host: string;
  /** The name that `host` is an address of; absent where `host` is what was written. */
  readonly name?: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** null = TCP. */
  readonly socketPath: string | null;
  /** null = plain HTTP. */
  readonly tls: BackendTlsConfig | null;
  /** `http://host:port` or `https://host:port`, without a path, or `unix:/path`. */
  readonly url: string;
  /** 0.001..1e6. */
  readonly weight: number;
  /** Requests at once, at most; 0 = no limit. */
  readonly limit: number;
  readonly labels: Readonly<Record<string, string>>;
  /** 0..9; a lower number is used first. */
  readonly priority: number;
  /** Set on every request and probe to it; names are lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** `auto` = ask the server; else the engine's name as text. */
  readonly engine: string;
}

/** How a backend is spoken to by TLS; certificates and keys are PEM texts. */
export interface BackendTlsConfig {
  /** null = the authorities that Node knows. */
  readonly ca: string | null;
  /** The name that its certificate must be for. */
  readonly serverName: string;
  /** Our own certificate and its key; null = none. */
  readonly cert: string | null;
  readonly key: string | null;
  /** false = whoever answers is believed. */
  readonly verify: boolean;
}

/** Where the agents of the backends answer, and how often they are asked. */
export interface AgentCheckConfig {
  readonly port: number;
  readonly intervalMs: number;
  /** Agents of backends with TLS are asked by TLS, too. */
  readonly tls: boolean;
}

/** How backends are probed. */
export interface HealthConfig {
  readonly kind: "http" | "tcp";
  /** `auto` = what the engine is known to answer; else a path that starts with `/`. */
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  /** Interval while the backend is down. */
  readonly downIntervalMs: number;
  /** 0..1: each interval is moved by up to this share of itself. */
  readonly jitterShare: number;
  readonly expect: {
    /** Inclusive ranges. */
    readonly statuses: readonly { readonly from: number; readonly to: number }[];
    /** The answer must contain this text; null = any body. */
    readonly body: string | null;
  };
  /** Probes of this pool that run at once, at most. */
  readonly concurrencyMax: number;
}

/** When failures of real work take a backend out, and for how long. */
export interface OutlierConfig {
  readonly consecutive: number;
  readonly failures: number;
  readonly of: number;
  readonly ejectionMs: number;
  readonly ejectionMsMax: number;
  /** 0..1 of the pool. */
  readonly ejectedShareMax: number;
  /** 0..1: with a smaller share usable, all are used. */
  readonly panicShare: number;
}

/** How much slower than it should be a backend may be. */
export interface SlowdownConfig {
  readonly tolerance: number;
  readonly useless: number;
}

/** What keeps a session on its backend. */
export interface SessionConfig {
  readonly key: KeySpec;
  /** Life of our own cookie, or of a learned session that is not used; of no meaning for other keys. */
  readonly ttlMs: number;
  readonly cookieName: string;
  readonly whenFull: "spill" | "wait";
  /**
   * 0: the home of `key` is computed, or named by our own cookie. Else the backends say by their answers, in
   * the header or cookie of `key`, which values are theirs; so many are remembered.
   */
  readonly learnedMax: number;
}

/** Where a key is read from. `session_cookie` is the signed cookie that Evener itself sets. */
export type KeySpec =
  | { readonly from: "header" | "cookie" | "query" | "body"; readonly name: string }
  | { readonly from: "path" | "client_ip" | "session_cookie" };

/** How many requests may wait for a free backend, and how long. */
export interface QueueConfig {
  readonly requestsMax: number;
  readonly waitMs: number;
}

/** What is tried again, how often and within which budget. */
export interface RetryConfig {
  /** All tries of one request, the first included; 1..10. */
  readonly attempts: number;
  /** 0..1 of the requests of the last 10 s. */
  readonly budgetShare: number;
  readonly budgetPerSecondMin: number;
  readonly on: RetryConditionsConfig;
  readonly firstToken: FirstTokenConfig;
  /** Request bytes kept for sending them again. */
  readonly bodyBytesMax: number;
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

/** When the first token of a stream is late: as the forecast says, never, or after so many milliseconds. */
export type FirstTokenConfig = "auto" | "off" | number;

/** Which failures are tried again. */
export interface RetryConditionsConfig {
  readonly connectFailure: boolean;
  readonly reset: boolean;
  readonly firstByteTimeout: boolean;
  /** Ascending, without duplicates; each 400..599. */
  readonly statuses: readonly number[];
}

/** How long the phases of a request to a backend may last. */
export interface TimeoutsConfig {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly tunnelIdleMs: number;
}

/** Kept-alive connections to one backend. */
export interface ConnectionsConfig {
  readonly idleMax: number;
  readonly idleMs: number;
}
