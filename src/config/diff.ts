import { isDeepStrictEqual } from "node:util";

import { addressText } from "../http1/address.ts";
import type { RouteConfig } from "./config-route.ts";
import type { BackendConfig, Config, PoolConfig } from "./config.ts";

/** What a reload changes. Pools and backends that stay keep their counts, sessions and streams. */
export function diffConfigs(old: Config, next: Config): ConfigDiff {
  const parts: string[] = [];
  const needsRestart: string[] = [];
  for (const name of Object.keys(EFFECTS) as (keyof typeof EFFECTS)[]) {
    if (isDeepStrictEqual(old[name], next[name])) continue;
    const { key, isAtRestart, describe } = EFFECTS[name];
    const what = describe?.(old, next) ?? "";
    parts.push(`${key}${what === "" ? "" : ` ${what}`}${isAtRestart ? " (needs a restart)" : ""}`);
    if (isAtRestart) needsRestart.push(key);
  }
  if (!isDeepStrictEqual(old.pools, next.pools)) parts.push(describePools(old.pools, next.pools));
  const isEmpty = parts.length === 0;
  return { isEmpty, text: isEmpty ? "no change" : parts.join("; "), needsRestart };
}

/** What differs between two configurations. */
export interface ConfigDiff {
  /** Nothing does. */
  readonly isEmpty: boolean;
  /** One line for a log: `routes +/v2/; limits body_bytes; pool default: backends +c:8000, queue`. */
  readonly text: string;
  /** Keys of the file that changed and that only a restart applies. */
  readonly needsRestart: readonly string[];
}

/** `next`, but with what a reload does not apply as it runs: so each further reload says so again. */
export function keepUntilRestart(running: Config, next: Config): Config {
  const { threads, accessLog, admin, tasks } = running;
  return { ...next, threads, accessLog, admin, tasks };
}

/** Which backends of one pool come, go or change, by id. */
export function diffBackends(old: readonly BackendConfig[], next: readonly BackendConfig[]): Difference {
  return diffNamed(old, next, ({ id }) => id);
}

/** Names. A backend whose address changed is in `changed`: it is another server under the same name. */
export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** How a key of the file takes effect, and what to say about its change beside its name. */
interface Effect {
  readonly key: string;
  readonly isAtRestart: boolean;
  readonly describe?: (old: Config, next: Config) => string;
}

/** In the order of the log. A new key of the configuration has to say here what a reload does with it. */
const EFFECTS: Readonly<Record<Exclude<keyof Config, "pools" | "files">, Effect>> = {
  listeners: {
    key: "listeners",
    isAtRestart: false,
    describe: (old, next) => namesOf(diffNamed(old.listeners, next.listeners, addressText)),
  },
  routes: {
    key: "routes",
    isAtRestart: false,
    describe: (old, next) => namesOf(diffNamed(old.routes, next.routes, routeName)),
  },
  limits: {
    key: "limits",
    isAtRestart: false,
    describe: (old, next) => changedKeys(old.limits, next.limits).join(", "),
  },
  trustedProxies: { key: "trusted_proxies", isAtRestart: false },
  forwardedHeaders: { key: "forwarded_headers", isAtRestart: false },
  resolvers: { key: "resolvers", isAtRestart: false },
  drainTimeoutMs: { key: "drain", isAtRestart: false },
  logLevel: { key: "log", isAtRestart: false },
  sessionKeys: { key: "session_keys", isAtRestart: false },
  threads: { key: "threads", isAtRestart: true },
  accessLog: { key: "access_log", isAtRestart: true },
  admin: { key: "admin", isAtRestart: true },
  tasks: { key: "tasks", isAtRestart: true },
};

const NAMES_SHOWN_MAX = 10;

function describePools(old: readonly PoolConfig[], next: readonly PoolConfig[]): string {
  const { added, removed, changed } = diffNamed(old, next, ({ name }) => name);
  const find = (pools: readonly PoolConfig[], name: string): PoolConfig =>
    pools.find((pool) => pool.name === name)!;
  const texts = [
    ...added.map((name) => `pool ${name} added`),
    ...removed.map((name) => `pool ${name} removed`),
    ...changed.map((name) => `pool ${name}: ${describePool(find(old, name), find(next, name))}`),
  ];
  return texts.length === 0 ? "order of pools" : texts.join("; ");
}

function describePool(old: PoolConfig, next: PoolConfig): string {
  const { backends: before, ...rulesBefore } = old;
  const { backends: after, ...rulesAfter } = next;
  const keys = changedKeys(rulesBefore, rulesAfter);
  if (isDeepStrictEqual(before, after)) return keys.join(", ");
  const names = namesOf(diffBackends(before, after));
  return [names === "" ? "order of backends" : `backends ${names}`, ...keys].join(", ");
}

function diffNamed<T>(old: readonly T[], next: readonly T[], nameOf: (it: T) => string): Difference {
  const before = Map.groupBy(old, nameOf);
  const after = Map.groupBy(next, nameOf);
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: [...after.keys()].filter((name) => {
      return before.has(name) && !isDeepStrictEqual(before.get(name), after.get(name));
    }),
  };
}

/** `+c:8000 -a:8000 ~b:8000`; empty when only the order differs. */
function namesOf({ added, removed, changed }: Difference): string {
  const names = [
    ...added.map((name) => `+${name}`),
    ...removed.map((name) => `-${name}`),
    ...changed.map((name) => `~${name}`),
  ];
  const more = names.length - NAMES_SHOWN_MAX;
  return (more > 0 ? [...names.slice(0, NAMES_SHOWN_MAX), `and ${more} more`] : names).join(" ");
}

/** Several routes may have one name: they differ in method or header. */
function routeName({ match: { host, path } }: RouteConfig): string {
  const mark = path.kind === "exact" ? "=" : path.kind === "regex" ? "~" : "";
  return `${host ?? ""}${mark}${path.text}`;
}

function changedKeys<T extends object>(old: T, next: T): string[] {
  const names = Object.keys(next) as (keyof T & string)[];
  return names.filter((name) => !isDeepStrictEqual(old[name], next[name])).map(writtenKey);
}

/** `slowStartMs` is `slow_start` in the file, `headerBytesMax` is `header_bytes`. */
function writtenKey(name: string): string {
  return name.replace(/(?:Ms|Max)$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
