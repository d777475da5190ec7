import * as path from "node:path";

import type { RouteConfig } from "./config-route.ts";
import type { BackendConfig, Config, ListenerConfig, PoolConfig } from "./config.ts";
import { expandBackend, expandListenerTls, type Reading } from "./expand-tls.ts";
import type { Path } from "./problem.ts";
import type { BackendWritten } from "./schema-backend.ts";
import { type ListenerWritten, SOCKET_MODE } from "./schema-listener.ts";
import { poolSchema, type UnnamedPool } from "./schema-pool.ts";
import { routeSchema, type RouteWritten } from "./schema-route.ts";
import type { ConfigFile } from "./schema.ts";

/**
 * Fills in what the shorthands stand for, and what the files contain that are named. `file` has passed the
 * schema and the cross checks; `directory` is where relative paths start. What is wrong with the files is
 * among the findings of `reading`; the configuration is of no use then.
 */
export function expand(file: ConfigFile, directory: string, reading: Reading): Omit<Config, "files"> {
  const pools = Object.entries(file.pools ?? {}).map(([name, pool]): PoolConfig => {
    return { name, ...expandPool(pool, ["pools", name], reading) };
  });
  if (file.backends !== undefined) {
    // Any valid backend will do: it is replaced by those that were read already.
    const { tls: _, ...defaults } = poolSchema.parse({ backends: ["http://127.0.0.1:80"] });
    const pool = { written: {}, place: [] };
    pools.unshift({
      name: "default",
      ...defaults,
      backends: file.backends.map((one, index) => expandBackend(one, ["backends", index], pool, reading)),
    });
  }
  return {
    listeners: expandListeners(file, reading),
    trustedProxies: file.trusted_proxies,
    forwardedHeaders: file.forwarded_headers,
    resolvers: file.resolvers,
    threads: file.threads,
    accessLog:
      file.access_log.kind === "file"
        ? { ...file.access_log, path: path.resolve(directory, file.access_log.path) }
        : file.access_log,
    logLevel: file.log.level,
    pools,
    routes: routesOf(file, pools),
    admin: file.admin,
    tasks: file.tasks === null ? null : { ...file.tasks, store: placeOf(file.tasks.store, directory) },
    drainTimeoutMs: file.drain.timeout,
    sessionKeys: file.session_keys ?? [],
    limits: file.limits,
  };
}

/** A database's file begins at the directory of the configuration, as all paths do. */
function placeOf(store: string, directory: string): string {
  return store.startsWith("sqlite:")
    ? `sqlite:${path.resolve(directory, store.slice("sqlite:".length))}`
    : store;
}

function routesOf({ routes, upgrades }: ConfigFile, pools: readonly PoolConfig[]): RouteConfig[] {
  const written = routes ?? (pools.length === 0 ? [] : [routeForAll(pools)]);
  return written.map((route) => ({ ...route, upgrades: route.upgrades ?? upgrades }));
}

function expandListeners(file: ConfigFile, reading: Reading): ListenerConfig[] {
  if (isTasksOnly(file)) return [];
  const written: readonly ListenerWritten[] = file.listeners ?? [
    { bind: file.listen!, proxyProtocol: false, tls: null, socketMode: SOCKET_MODE },
  ];
  return written.map(({ bind, proxyProtocol, tls, socketMode }, index) => {
    const place = ["listeners", index, "tls"];
    const { tlsHandshakeMs } = file.limits;
    const secure = tls === null ? null : expandListenerTls(tls, place, tlsHandshakeMs, reading);
    return { ...bind, socketMode, proxyProtocol, tls: secure };
  });
}

function expandPool(
  { tls, backends, ...rest }: UnnamedPool,
  place: Path,
  reading: Reading,
): Omit<PoolConfig, "name"> {
  const pool = { written: tls ?? {}, place: [...place, "tls"] };
  if (tls !== null && !backends.some(({ isTls }) => isTls)) {
    const message = `is for https:// URLs, and no backend has one; write https:// or remove "tls"`;
    reading.findings.push({ path: pool.place, at: "key", message });
  }
  return {
    ...rest,
    backends: backends.map((backend, index): BackendConfig => {
      const at = [...place, "backends", index];
      checkAgent(rest.agentCheck, backend, at, reading);
      return expandBackend(backend, at, pool, reading);
    }),
  };
}

/** An agent is asked at a port of its backend's host. */
function checkAgent(
  agentCheck: PoolConfig["agentCheck"],
  { socketPath }: BackendWritten,
  at: Path,
  { findings }: Reading,
): void {
  if (agentCheck === null || socketPath === null) return;
  const message = `is a unix socket, so "agent_check" has no host to ask; give it a pool of its own`;
  findings.push({ path: at, message });
}

/** It has the second door alone. */
function isTasksOnly({ tasks, listen, listeners }: ConfigFile): boolean {
  return tasks !== null && listen === undefined && listeners === undefined;
}

/** Without routes everything goes to the only pool, or to the one called `default`. */
function routeForAll(pools: readonly PoolConfig[]): RouteWritten {
  return routeSchema.parse({ pool: pools.length === 1 ? pools[0]!.name : "default" });
}
