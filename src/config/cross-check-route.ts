import type { Finding, Path } from "./problem.ts";
import { describeValue } from "./problem.ts";
import { didYouMean } from "./suggest.ts";

/** What a route's check needs to know of the pools. */
export interface PoolFacts {
  readonly names: readonly string[];
  /** Those with `retry: off`. */
  readonly withoutRetry: readonly string[];
}

/** What must hold between the keys of one route, and between them and the pools. As written. */
export function checkRoute(
  route: Readonly<Record<string, unknown>>,
  path: Path,
  pools: PoolFacts,
): Finding[] {
  const written = TARGETS.filter((key) => route[key] !== undefined);
  const [target] = written;
  if (target === undefined) {
    const message = "is missing; write a pool's name, or one of split, redirect and answer";
    return [{ path: [...path, "pool"], message, isMissing: true }];
  }
  const findings: Finding[] = written.slice(1).map((key) => {
    const message = `stands beside "${target}"; a route has exactly one of ${TARGETS.join(", ")}`;
    return { path: [...path, key], at: "key", message };
  });
  if (target === "redirect" || target === "answer") {
    for (const key of target === "answer" ? [...POOL_KEYS, "response_headers"] : POOL_KEYS) {
      if (route[key] === undefined) continue;
      const message = `has no meaning beside "${target}": no backend is asked; remove it`;
      findings.push({ path: [...path, key], at: "key", message });
    }
  }
  return [...findings, ...checkPoolNames(route, path, pools)];
}

const TARGETS = ["pool", "split", "redirect", "answer"] as const;
const POOL_KEYS = [
  "labels",
  "replay",
  "class",
  "upgrades",
  "rewrite",
  "request_headers",
  "timeouts",
  "retry",
  "body_max",
  "mirror",
] as const;

function checkPoolNames(
  { pool, split, mirror, retry }: Readonly<Record<string, unknown>>,
  path: Path,
  { names, withoutRetry }: PoolFacts,
): Finding[] {
  const targets: { name: unknown; path: Path; at: "key" | "value" }[] = [];
  if (pool !== undefined) targets.push({ name: pool, path: [...path, "pool"], at: "value" });
  if (isMap(split)) {
    for (const name of Object.keys(split)) targets.push({ name, path: [...path, "split", name], at: "key" });
  }
  const findings: Finding[] = [];
  const copies = isMap(mirror) ? [{ name: mirror.pool, path: [...path, "mirror", "pool"] }] : [];
  for (const { name, ...place } of [...targets, ...copies]) {
    if (typeof name !== "string" || names.includes(name)) continue;
    const message = `there is no pool ${describeValue(name)}; write one of ${names.join(", ") || "pools"}`;
    findings.push({ ...place, message, hint: didYouMean(name, names) });
  }
  const idle = withoutRetry.find((name) => targets.some((target) => target.name === name));
  if (idle !== undefined && isMap(retry)) {
    const why = `pool ${idle} has "retry: off", so that there is no budget to take from`;
    const message = `${why}; write its retry`;
    findings.push({ path: [...path, "retry"], at: "key", message });
  }
  return findings;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
