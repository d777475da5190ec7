import { EvenerError } from "../errors.ts";
import { MemoryStore } from "./memory.ts";
import { PostgresStore } from "./postgres.ts";
import { SqliteStore } from "./sqlite.ts";
import type { TaskStore } from "./store.ts";

/** The stores, by the scheme of `tasks.store`. */
export const STORES: Readonly<Record<string, (rest: string) => Promise<TaskStore>>> = {
  memory: () => Promise.resolve(new MemoryStore()),
  sqlite: (path) => SqliteStore.open(path),
  postgres: (rest) => PostgresStore.open(`postgres:${rest}`),
  postgresql: (rest) => PostgresStore.open(`postgresql:${rest}`),
};

/**
 * Opens `sqlite:FILE`, `postgres://USER@HOST/DATABASE` or `memory:`. Throws EVENER_BAD_VALUE,
 * EVENER_STORE_FAILED.
 */
export function openStore(name: string): Promise<TaskStore> {
  const colon = name.indexOf(":");
  const open = STORES[name.slice(0, colon)];
  if (open !== undefined) return open(name.slice(colon + 1));
  const known = Object.keys(STORES).join(", ");
  throw new EvenerError(
    "EVENER_BAD_VALUE",
    // Not all of it: there may be a password in it.
    `tasks.store begins with ${JSON.stringify(name.split(":")[0])}; known are ${known}, and then a colon`,
  );
}
