import type { ConditionConfig, PathConfig, RouteConfig, RouteTargetConfig } from "../config/config-route.ts";

/** What a route takes, in words: `api.example.com /v1 (GET, header x-tier = gold)`. */
export function describeMatch({ match }: RouteConfig): string {
  const { host, path, methods, models, conditions } = match;
  const methodText = methods.length === 0 ? [] : [methods.join(" or ")];
  const extra = [...methodText, ...modelText(models), ...conditions.map(describeCondition)];
  return `${host ?? "any host"} ${describePath(path)}${extra.length === 0 ? "" : ` (${extra.join(", ")})`}`;
}

/** Where it goes: `pool chat`, `95 % pool stable, 5 % pool canary`, `302 to https://...`, `answer 200`. */
export function describeTarget(target: RouteTargetConfig): string {
  switch (target.kind) {
    case "pools":
      return describePools(target.pools);
    case "redirect": {
      const { status, scheme, host, path, prefix } = target;
      const parts = [scheme && `scheme ${scheme}`, host && `host ${host}`, path && `path ${path}`];
      if (prefix !== null) parts.push(`${prefix.from || "/"} replaced by ${prefix.to || "/"}`);
      return `redirect ${status}: ${parts.filter((part) => part !== null).join(", ")}`;
    }
    case "answer":
      return `answer ${target.status}`;
  }
}

/** A condition in words. */
export function describeCondition({ from, name, value, isPresent }: ConditionConfig): string {
  const subject = `${from} ${name}`;
  if (!isPresent) return `no ${subject}`;
  return value === null ? `${subject} there` : `${subject} = ${JSON.stringify(value)}`;
}

/** A model's name in words, or nothing. */
function modelText(models: readonly string[]): string[] {
  return models.length === 0 ? [] : [`model ${models.join(" or ")}`];
}

function describePath({ kind, text }: PathConfig): string {
  return kind === "prefix" ? text : `${kind} ${text}`;
}

function describePools(pools: readonly { readonly name: string; readonly weight: number }[]): string {
  const total = pools.reduce((sum, { weight }) => sum + weight, 0);
  if (pools.length === 1) return `pool ${pools[0]!.name}`;
  const share = (weight: number): string => `${Math.round((weight / total) * 10_000) / 100} %`;
  return pools.map(({ name, weight }) => `${share(weight)} pool ${name}`).join(", ");
}
