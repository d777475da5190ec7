import { EvenerError } from "../errors.ts";
import { MemoryStore } from "./memory.ts";
import { SqliteStore } from "./sqlite.ts";
import type { TaskStore } from "./store.ts";

/** The stores, by the scheme of `tasks.store`. */
export const STORES: Readonly<Record<string, (rest: string) => Promise<TaskStore>>> = {
  memory: () => Promise.resolve(new MemoryStore()),
  sqlite: (path) => SqliteStore.open(path),
};

/** Opens `sqlite:FILE` or `memory:`. Throws EVENER_BAD_VALUE, EVENER_STORE_FAILED. */
export function openStore(name: string): Promise<TaskStore> {
  const colon = name.indexOf(":");
  const open = STORES[name.slice(0, colon)];
  if (open !== undefined) return open(name.slice(colon + 1));
  const known = Object.keys(STORES).join(", ");
  throw new EvenerError(
    "EVENER_BAD_VALUE",
    `tasks.store is ${JSON.stringify(name)}; it begins with one of ${known}, and a colon`,
  );
}
