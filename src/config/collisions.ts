import { type Address, addressText } from "../http1/address.ts";
import { isLoopback } from "../core/kit/ip-address.ts";
import { ADMIN_BIND, parseBackendUrl, parseBind, parseListen } from "./address.ts";
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
  readonly address: Address;
}

function findListener({ path, address }: Place, before: readonly Place[], admin: Address | null): Finding[] {
  if (admin !== null && overlaps(address, admin)) {
    const message =
      `port ${address.port} is the admin listener's (${addressText(admin)}); ` +
      `write another one, or move that by "admin: { bind: ... }"`;
    return [{ path, message }];
  }
  const other = before.find((one) => overlaps(address, one.address) && !areFamilies(address, one.address));
  if (other === undefined) return [];
  const [one, two] = [addressText(address), addressText(other.address)];
  if (one === two) return [{ path, message: "is there twice; remove one of them" }];
  return [{ path, message: `${one} and ${two} overlap; write one of them, or another` }];
}

/** A balancer never finds itself. */
function findBackend(
  { path, address }: Place,
  listeners: readonly Place[],
  admin: Address | null,
): Finding[] {
  const own = listeners.find((listener) => reaches(address, listener.address));
  const refuse = (what: string, at: Address): Finding[] => {
    const message = `is Evener's own ${what} ${addressText(at)}; write where the model server listens`;
    return [{ path, message }];
  };
  if (own !== undefined) return refuse("listener", own.address);
  return admin !== null && reaches(address, admin) ? refuse("admin listener", admin) : [];
}

/** Whether the system would refuse the second of the two. 0 is any free port. */
function overlaps(a: Address, b: Address): boolean {
  if (isUnix(a) || isUnix(b)) return a.socketPath === b.socketPath;
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

/** Two listeners for all addresses, of IPv4 and of IPv6: each is opened for its own family alone. */
function areFamilies(a: Address, b: Address): boolean {
  return (a.host === "::" && b.host === "0.0.0.0") || (a.host === "0.0.0.0" && b.host === "::");
}

function isUnix({ socketPath = null }: Address): boolean {
  return socketPath !== null;
}

/** All addresses of a family; "::" takes those of IPv4, too. A name is not resolved: it may be either. */
function covers(host: string, other: string): boolean {
  if (host === "::") return true;
  return host === "0.0.0.0" && /^[\d.]+$/.test(other);
}

/** Whether a connection to that backend ends at that listener, as far as the file alone can tell. */
function reaches(backend: Address, listener: Address): boolean {
  if (isUnix(backend) || isUnix(listener)) return backend.socketPath === listener.socketPath;
  const { host, port } = backend;
  if (port !== listener.port) return false;
  // Who connects to "all addresses" reaches this machine.
  const here = host === "localhost" || host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  if (host === listener.host || here === listener.host) return true;
  return isLoopback(here) && covers(listener.host, here);
}

function listenersOf({ listen, listeners }: Readonly<Record<string, unknown>>): Place[] {
  const list = Array.isArray(listeners) ? listeners : [];
  return [
    ...placeOf(["listen"], listen, parseListen),
    ...list.flatMap((one: unknown, i) => placeOf(["listeners", i, "bind"], keyOf(one, "bind"), parseListen)),
  ];
}

function adminOf({ admin }: Readonly<Record<string, unknown>>): Address | null {
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

function placeOf(path: Path, value: unknown, parse: (text: string) => Address | Wrong): Place[] {
  if (typeof value !== "string" && typeof value !== "number") return [];
  const address = parse(String(value));
  return address instanceof Wrong ? [] : [{ path, address }];
}

function keyOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
