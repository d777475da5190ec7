import { checkCollisions } from "./collisions.ts";
import type { Finding } from "./problem.ts";
import { checkRoute } from "./cross-check-route.ts";

/**
 * What must hold between the blocks of a file. Looks at the values as written, so that a file with a mistake
 * in one block hears about these too.
 */
export function crossCheck(file: Readonly<Record<string, unknown>>): Finding[] {
  // The second door needs no first one.
  if (isMap(file.tasks) && FIRST_DOOR.every((key) => file[key] === undefined)) return checkCollisions(file);
  return [
    ...checkListeners(file),
    ...checkCollisions(file),
    ...checkTrust(file),
    ...checkPools(file),
    ...checkRoutes(file),
  ];
}

const FIRST_DOOR = ["listen", "listeners", "backends", "pools", "routes"];

type File = Readonly<Record<string, unknown>>;

function checkListeners({ listen, listeners }: File): Finding[] {
  if (listen === undefined && listeners === undefined) {
    return [{ path: ["listen"], message: `is missing; write "listen: 8080"`, isMissing: true }];
  }
  if (listen === undefined || listeners === undefined) return [];
  const message = `is short for "listeners", which is there too; move it into "listeners"`;
  return [{ path: ["listen"], at: "key", message }];
}

/** A listener that nobody may connect to is a mistake. */
function checkTrust({ listeners, trusted_proxies: trusted }: File): Finding[] {
  if ((Array.isArray(trusted) && trusted.length > 0) || !Array.isArray(listeners)) return [];
  return listeners.flatMap((listener, index): Finding[] => {
    const asked = isMap(listener) ? listener["proxy_protocol"] : undefined;
    if (asked !== true && asked !== "true") return [];
    const message = `needs "trusted_proxies": the addresses of those that send the header`;
    return [{ path: ["listeners", index, "proxy_protocol"], at: "key", message }];
  });
}

function checkPools({ backends, pools }: File): Finding[] {
  const names = poolNames(pools);
  if (backends === undefined && pools === undefined) {
    const message = `is missing; write "backends: [http://10.0.0.1:8000]"`;
    return [{ path: ["backends"], message, isMissing: true }];
  }
  if (backends !== undefined && names.includes("default")) {
    const message = "is short for pools.default.backends, and pools.default is there too; move them into it";
    return [{ path: ["backends"], at: "key", message }];
  }
  if (backends === undefined && names.length === 0 && isMap(pools)) {
    return [{ path: ["pools"], message: `is empty; write "default: { backends: [http://10.0.0.1:8000] }"` }];
  }
  return [];
}

function checkRoutes({ backends, pools, routes }: File): Finding[] {
  const names = poolNames(pools);
  if (backends !== undefined && !names.includes("default")) names.push("default");
  if (routes === undefined) {
    if (names.length <= 1 || names.includes("default")) return [];
    const message = `is missing; there are ${names.length} pools (${names.join(", ")}): say what goes where`;
    return [{ path: ["routes"], message, isMissing: true }];
  }
  if (!Array.isArray(routes)) return [];
  const withoutRetry = names.filter((name) => isMap(pools) && isMap(pools[name]) && isOff(pools[name].retry));
  return routes.flatMap((route: unknown, index) => {
    return isMap(route) ? checkRoute(route, ["routes", index], { names, withoutRetry }) : [];
  });
}

/** `off` is a plain word in YAML 1.2. */
function isOff(value: unknown): boolean {
  return value === "off";
}

function poolNames(pools: unknown): string[] {
  return isMap(pools) ? Object.keys(pools) : [];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
