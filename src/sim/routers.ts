// The menu of ways to route: the product's own policies, then the rivals. Where a rival has the name of one
// of ours (round robin and the like), ours is the one that is run: it is the same, and what the product does.
import { CORE_ROUTERS } from "./core-router.ts";
import { rivals } from "./rivals/index.ts";
import type { RouterSpec } from "./router.ts";

const OURS: ReadonlySet<string> = new Set(CORE_ROUTERS.map(({ name }) => name));

export const ROUTERS: readonly RouterSpec[] = [
  ...CORE_ROUTERS,
  ...rivals.filter(({ name }) => !OURS.has(name)),
];
