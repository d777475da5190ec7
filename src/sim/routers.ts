// The menu of ways to route: the product's own policies, and the rivals.
import { CORE_ROUTERS } from "./core-router.ts";
import type { RouterSpec } from "./router.ts";

export const ROUTERS: readonly RouterSpec[] = [...CORE_ROUTERS];
