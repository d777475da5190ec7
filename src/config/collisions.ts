import { ADMIN_BIND, isLoopback, parseBackendUrl, parseBind } from "./address.ts";
import type { BindConfig } from "./config.ts";
import type { Finding, Path } from "./problem.ts";
import { Wrong } from "./scalars.ts";

/**
 * Addresses that can not be had together: two listeners on one, a listener on that of the admin listener, a
 * backend that is a listener of the same file. Looks at the values as written; what is no address is the
 * schema's to tell.
 */
export function checkCollisions(file: Readonly<Record<string, unknown>>): Finding[] {
  const listeners = listenersOf(file);
  const admin = adminOf(file);
  return [
    ...listeners.flatMap((listener, i) => findListener(listener, listeners.slice(0, i), admin)),
    ...backendsOf(file).flatMap((backend) => findBackend(backend, listeners, admin)),
  ];
}

/** An address and where it is written. */
interface Place {
  readonly path: Path;
  readonly address: BindConfig;
}

function findListener(
  { path, address }: Place,
  before: readonly Place[],
  admin: BindConfig | null,
): Finding[] {
  if (admin !== null && overlaps(address, admin)) {
    const message =
      `port ${address.port} is the admin listener's (${textOf(admin)}); ` +
      `write another one, or move that by "admin: { bind: ... }"`;
    return [{ path, message }];
  }
  const other = before.find((listener) => overlaps(address, listener.address));
  if (other === undefined) return [];
  if (textOf(other.address) === textOf(address))
    return [{ path, message: "is there twice; remove one of them" }];
  const message = `${textOf(address)} and ${textOf(other.address)} overlap; write one of them, or another`;
  return [{ path, message }];
}

/** A balancer never finds itself. */
function findBackend(
  { path, address }: Place,
  listeners: readonly Place[],
  admin: BindConfig | null,
): Finding[] {
  const own = listeners.find((listener) => reaches(address, listener.address));
  if (own !== undefined) {
    const message = `is Evener's own listener ${textOf(own.address)}; write where the model server listens`;
    return [{ path, message }];
  }
  if (admin === null || !reaches(address, admin)) return [];
  const message = `is Evener's own admin listener ${textOf(admin)}; write where the model server listens`;
  return [{ path, message }];
}

/** Whether the system would refuse the second of the two. 0 is any free port. */
function overlaps(a: BindConfig, b: BindConfig): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

/** All addresses of a family; "::" takes those of IPv4, too. A name is not resolved: it may be either. */
function covers(host: string, other: string): boolean {
  if (host === "::") return true;
  return host === "0.0.0.0" && /^[\d.]+$/.test(other);
}

/** Whether a connection to that backend ends at that listener, as far as the file alone can tell. */
function reaches({ host, port }: BindConfig, listener: BindConfig): boolean {
  if (port !== listener.port) return false;
  // Who connects to "all addresses" reaches this machine.
  const here = host === "localhost" || host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  if (host === listener.host || here === listener.host) return true;
  return isLoopback(here) && covers(listener.host, here);
}

function listenersOf({ listen, listeners }: Readonly<Record<string, unknown>>): Place[] {
  const list = Array.isArray(listeners) ? listeners : [];
  return [
    ...placeOf(["listen"], listen, parseBind),
    ...list.flatMap((one: unknown, i) => placeOf(["listeners", i, "bind"], keyOf(one, "bind"), parseBind)),
  ];
}

function adminOf({ admin }: Readonly<Record<string, unknown>>): BindConfig | null {
  if (admin === "off") return null;
  const [place] = placeOf([], keyOf(admin, "bind") ?? ADMIN_BIND, parseBind);
  return place?.address ?? null;
}

function backendsOf({ backends, pools }: Readonly<Record<string, unknown>>): Place[] {
  const lists: [Path, unknown][] = [[["backends"], backends]];
  if (typeof pools === "object" && pools !== null) {
    for (const [name, pool] of Object.entries(pools)) {
      lists.push([["pools", name, "backends"], keyOf(pool, "backends")]);
    }
  }
  return lists.flatMap(([path, list]) => {
    if (!Array.isArray(list)) return [];
    return list.flatMap((backend: unknown, i) => {
      const url = keyOf(backend, "url");
      return url === undefined
        ? placeOf([...path, i], backend, parseBackendUrl)
        : placeOf([...path, i, "url"], url, parseBackendUrl);
    });
  });
}

function placeOf(path: Path, value: unknown, parse: (text: string) => BindConfig | Wrong): Place[] {
  if (typeof value !== "string" && typeof value !== "number") return [];
  const address = parse(String(value));
  return address instanceof Wrong ? [] : [{ path, address }];
}

function keyOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function textOf({ host, port }: BindConfig): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
