import { isDeepStrictEqual } from "node:util";

import type { BackendConfig, PoolConfig } from "./config.ts";

/** What a reload changes. Pools and backends that stay keep their counts, sessions and streams. */
export function diffPools(old: readonly PoolConfig[], next: readonly PoolConfig[]): PoolsDiff {
  const before = new Map(old.map((pool) => [pool.name, pool]));
  const after = new Map(next.map((pool) => [pool.name, pool]));
  const added = [...after.keys()].filter((name) => !before.has(name));
  const removed = [...before.keys()].filter((name) => !after.has(name));
  const changed: string[] = [];
  const texts = [
    ...added.map((name) => `pool ${name} added`),
    ...removed.map((name) => `pool ${name} removed`),
  ];
  for (const [name, pool] of after) {
    const previous = before.get(name);
    if (previous === undefined || isDeepStrictEqual(previous, pool)) continue;
    changed.push(name);
    texts.push(`pool ${name}: ${describeChange(previous, pool)}`);
  }
  return { added, removed, changed, text: texts.length === 0 ? "no change" : texts.join("; ") };
}

/** Names of pools; every pool that is in none of the lists is as it was. */
export interface PoolsDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /** One line for a log: `pool default: backends +c:8000 -a:8000 ~b:8000, queue; pool x added`. */
  readonly text: string;
}

/** Which backends of one pool come, go or change, by id. */
export function diffBackends(old: readonly BackendConfig[], next: readonly BackendConfig[]): BackendsDiff {
  const before = new Map(old.map((backend) => [backend.id, backend]));
  const after = new Map(next.map((backend) => [backend.id, backend]));
  return {
    added: [...after.keys()].filter((id) => !before.has(id)),
    removed: [...before.keys()].filter((id) => !after.has(id)),
    changed: [...after.keys()].filter((id) => {
      return before.has(id) && !isDeepStrictEqual(before.get(id), after.get(id));
    }),
  };
}

/** Ids of backends. One whose address changed is in `changed`: it is another server under the same name. */
export interface BackendsDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

const IDS_SHOWN_MAX = 10;

function describeChange(old: PoolConfig, next: PoolConfig): string {
  const parts: string[] = [];
  const { added, removed, changed } = diffBackends(old.backends, next.backends);
  const ids = [
    ...added.map((id) => `+${id}`),
    ...removed.map((id) => `-${id}`),
    ...changed.map((id) => `~${id}`),
  ];
  if (ids.length > IDS_SHOWN_MAX)
    ids.splice(IDS_SHOWN_MAX, ids.length, `and ${ids.length - IDS_SHOWN_MAX} more`);
  if (ids.length > 0) parts.push(`backends ${ids.join(" ")}`);
  else if (!isDeepStrictEqual(old.backends, next.backends)) parts.push("order of backends");
  for (const name of Object.keys(next) as (keyof PoolConfig)[]) {
    if (name !== "backends" && !isDeepStrictEqual(old[name], next[name])) parts.push(writtenKey(name));
  }
  return parts.join(", ");
}

/** `slowStartMs` is `slow_start` in the file. */
function writtenKey(name: string): string {
  return name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
