import type { RequestHead } from "../http1/head.ts";
import type { PoolTraffic } from "./pool-traffic.ts";

/** What a route asks for, as written. */
export interface RouteSpec {
  readonly match: {
    /** Lower case, without port; `*.example.com` is any name below; null is every host. */
    readonly host: string | null;
    /** A prefix by whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`. */
    readonly path: string;
    /** Empty is every method. */
    readonly methods: readonly string[];
    readonly headers: readonly { readonly name: string; readonly value: string }[];
  };
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly replay: "auto" | "always" | "never";
  readonly class: "high" | "normal" | "low";
  /** Protocols that clients may switch to. */
  readonly upgrades: readonly string[];
}

/** A route, ready for the request path. */
export interface Route {
  readonly spec: RouteSpec;
  readonly traffic: PoolTraffic;
  /** Null for any: compared by identity on the request path. */
  readonly labels: Readonly<Record<string, string>> | null;
  readonly classIndex: number;
  /** For logs and metrics. */
  readonly name: string;
}

/**
 * Most specific first: an exact host before a wildcard before any, then the longer path, then more
 * conditions, then the order of the file.
 */
export function sortRoutes(routes: readonly Route[]): Route[] {
  return routes
    .map((route, index) => ({ route, index }))
    .sort((a, b) => specificity(b.route) - specificity(a.route) || a.index - b.index)
    .map(({ route }) => route);
}

function specificity(route: Route): number {
  const { host, path, methods, headers } = route.spec.match;
  const ofHost = host === null ? 0 : host.startsWith("*") ? host.length : 1_000 + host.length;
  const conditions = headers.length + (methods.length > 0 ? 1 : 0);
  return ofHost * 1e9 + path.length * 1e4 + conditions;
}

/** The first route that takes the request, or null. O(routes). */
export function findRoute(routes: readonly Route[], head: RequestHead): Route | null {
  for (let i = 0; i < routes.length; i++) if (matches(routes[i]!, head)) return routes[i]!;
  return null;
}

function matches(route: Route, head: RequestHead): boolean {
  const { host, path, methods, headers } = route.spec.match;
  if (host !== null && !matchesHost(host, head.host)) return false;
  if (path !== "/" && !matchesPath(path, head.path)) return false;
  if (methods.length > 0 && !methods.includes(head.method)) return false;
  for (let i = 0; i < headers.length; i++) {
    if (head.get(headers[i]!.name) !== headers[i]!.value) return false;
  }
  return true;
}

function matchesHost(wanted: string, received: string): boolean {
  const colon = received.lastIndexOf(":");
  const name = colon > received.lastIndexOf("]") ? received.slice(0, colon) : received;
  if (wanted.startsWith("*.")) return name.endsWith(wanted.slice(1)) && name.length > wanted.length - 1;
  return name === wanted;
}

function matchesPath(prefix: string, path: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith("/") || path.charCodeAt(prefix.length) === 0x2f;
}

/**
 * Whether backends could read another path than we match by: dot segments, plain, encoded, behind an encoded
 * separator or before a path parameter ("/..;/"), and %00. Such a request is refused, so that a route can not
 * be talked around (CVE class 9). %2F and others stay as they are.
 */
export function isAmbiguousPath(path: string): boolean {
  if (!path.includes("/.") && !path.includes("%") && !path.includes("\\")) return false;
  const plain = path.replaceAll(/%2e/gi, ".").replaceAll(/%3b/gi, ";");
  for (const segment of plain.split(SEPARATOR)) {
    const end = segment.indexOf(";");
    const name = end < 0 ? segment : segment.slice(0, end);
    if (name === "." || name === "..") return true;
  }
  return path.includes("%00");
}

/** What some server takes for "/". */
const SEPARATOR = /\/|\\|%2f|%5c/i;

/**
 * Paths of engines that generate from what is in the request alone: sending one again elsewhere harms nobody
 * until an answer has begun. `/v1/responses` may store, files and batches do: they are not in it.
 */
const GENERATION_PATHS: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/rerank",
  "/v1/score",
  "/v1/messages",
  "/v1/messages/count_tokens",
  "/api/chat",
  "/api/generate",
  "/api/embed",
  "/generate",
  "/generate_stream",
  "/embed",
  "/rerank",
  "/completion",
]);

/** The request asks a model to generate from what it carries alone. */
export function isGeneration(head: RequestHead): boolean {
  return GENERATION_PATHS.has(head.path) && head.method === "POST";
}

/** The request is one of an LLM API: our own errors take its shape. */
export function isLlmPath(path: string): boolean {
  return path.startsWith("/v1/") || GENERATION_PATHS.has(path);
}

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/** Whether the request may be sent to another backend after the first may have seen it (RFC 9110 9.2.2). */
export function isReplaySafe(route: Route, head: RequestHead): boolean {
  switch (route.spec.replay) {
    case "always":
      return true;
    case "never":
      return false;
    case "auto":
      return IDEMPOTENT.has(head.method) || isGeneration(head);
  }
}
