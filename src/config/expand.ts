import * as path from "node:path";

import type { RouteConfig } from "./config-route.ts";
import type { Config, ListenerConfig, PoolConfig } from "./config.ts";
import { poolSchema } from "./schema-pool.ts";
import { routeSchema, type RouteWritten } from "./schema-route.ts";
import type { ConfigFile } from "./schema.ts";

/**
 * Fills in what the shorthands stand for. `file` has passed the schema and the cross checks; `directory` is
 * where relative paths start.
 */
export function expand(file: ConfigFile, directory: string): Config {
  const pools: PoolConfig[] = Object.entries(file.pools ?? {}).map(([name, pool]) => ({ name, ...pool }));
  if (file.backends !== undefined) {
    // Any valid backend will do: it is replaced by those that were read already.
    const defaults = poolSchema.parse({ backends: ["http://127.0.0.1:80"] });
    pools.unshift({ name: "default", ...defaults, backends: file.backends });
  }
  return {
    listeners: file.listeners?.map(toListener) ?? [{ ...file.listen!, proxyProtocol: false }],
    trustedProxies: file.trusted_proxies,
    forwardedHeaders: file.forwarded_headers,
    resolvers: file.resolvers,
    threads: file.threads,
    accessLog:
      file.access_log.kind === "file"
        ? { kind: "file", path: path.resolve(directory, file.access_log.path) }
        : file.access_log,
    logLevel: file.log.level,
    pools,
    routes: routesOf(file, pools),
    admin: file.admin,
    drainTimeoutMs: file.drain.timeout,
    sessionKeys: file.session_keys ?? [],
    limits: file.limits,
  };
}

function toListener(written: NonNullable<ConfigFile["listeners"]>[number]): ListenerConfig {
  return { ...written.bind, proxyProtocol: written.proxy_protocol };
}

function routesOf({ routes, upgrades }: ConfigFile, pools: readonly PoolConfig[]): RouteConfig[] {
  const written = routes ?? [routeForAll(pools)];
  return written.map((route) => ({ ...route, upgrades: route.upgrades ?? upgrades }));
}

/** Without routes everything goes to the only pool, or to the one called `default`. */
function routeForAll(pools: readonly PoolConfig[]): RouteWritten {
  return routeSchema.parse({ pool: pools.length === 1 ? pools[0]!.name : "default" });
}
