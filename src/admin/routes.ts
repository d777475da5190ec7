import { matchPath, pathPattern } from "../control/path.ts";

/** The endpoints of the admin listener: every path, its methods and what it is for. */
export const ENDPOINTS = [
  { name: "page", methods: ["GET"], path: "/", about: "status page" },
  { name: "health", methods: ["GET"], path: "/healthz", about: "200 while the process runs" },
  { name: "ready", methods: ["GET"], path: "/readyz", about: "200 when requests are taken, else 503" },
  { name: "metrics", methods: ["GET"], path: "/metrics", about: "Prometheus text" },
  { name: "pools", methods: ["GET"], path: "/api/v1/pools", about: "every pool with its backends" },
  { name: "pool", methods: ["GET"], path: "/api/v1/pools/{pool}", about: "one pool" },
  {
    name: "backend",
    methods: ["GET", "PUT"],
    path: "/api/v1/pools/{pool}/backends/{id}",
    about: 'one backend; PUT {"state": "ready" | "drain" | "down", "weight": n | null, "limit": n | null}',
  },
  {
    name: "vitals",
    methods: ["PUT"],
    path: "/api/v1/pools/{pool}/backends/{id}/vitals",
    about: '{"cpu", "memory", "gpu"}: 0 to 1 or null each',
  },
  {
    name: "why",
    methods: ["GET"],
    path: "/api/v1/requests/{id}/why",
    about: "why a prompt went where it went: what each candidate would have cost",
  },
  {
    name: "events",
    methods: ["GET"],
    path: "/api/v1/events",
    about: "?since=NUMBER&max=NUMBER; a stream with accept: text/event-stream",
  },
] as const;

/** An entry of {@link ENDPOINTS}. */
export type AdminEndpoint = (typeof ENDPOINTS)[number];

/** An endpoint with the values of the placeholders in its path, "" where there is none. */
export interface RouteMatch {
  readonly endpoint: AdminEndpoint;
  readonly pool: string;
  readonly id: string;
}

/** The endpoint of a path (without its query), or null. Placeholders are percent-decoded, once. */
export function matchRoute(path: string): RouteMatch | null {
  for (const { endpoint, pattern } of PATTERNS) {
    const values = matchPath(pattern, path);
    if (values !== null) return { endpoint, pool: values.pool ?? "", id: values.id ?? "" };
  }
  return null;
}

const PATTERNS = ENDPOINTS.map((endpoint) => ({ endpoint, pattern: pathPattern(endpoint.path) }));
