import type { Target } from "../target.ts";
import { accessLog } from "./access-log.ts";
import { admin } from "./admin.ts";
import { config } from "./config.ts";
import { describe } from "./describe.ts";
import { http1 } from "./http1.ts";
import { proxyProtocol } from "./proxy-protocol.ts";
import { routes } from "./routes.ts";

/** Everything that is fuzzed. */
export const TARGETS: readonly Target[] = [http1, proxyProtocol, config, admin, accessLog, routes, describe];
