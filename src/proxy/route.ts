import { WORK_CLASSES } from "../core/work.ts";
import type { FixedAnswer } from "./answer.ts";
import { type FieldEdits, fieldEdits, fieldLines } from "./field-edits.ts";
import { ModelRewrite } from "./model-names.ts";
import type { PoolTraffic, RetryRules } from "./pool-traffic.ts";
import { PrefixRewrite } from "./prefix-rewrite.ts";
import { Redirect } from "./redirect.ts";
import { compileMatch, type RouteMatch } from "./route-match.ts";
import type { FixedSpec, MirrorSpec, RouteSpec, RouteTargetSpec } from "./route-spec.ts";
import { Split } from "./split.ts";

/** A route, ready for the request path. */
export type Route = PoolRoute | LocalRoute;

/** Its requests go to a pool. What it does not do is null, and costs one comparison. */
export interface PoolRoute {
  readonly kind: "pool";
  readonly match: RouteMatch;
  /** For logs and metrics. */
  readonly name: string;
  readonly spec: RouteSpec;
  /** With the route's own timeouts and retries. Where there is a split: the first pool of it. */
  readonly traffic: PoolTraffic;
  readonly split: Split | null;
  readonly mirror: RouteMirror | null;
  /** Null for any: compared by identity on the request path. */
  readonly labels: Readonly<Record<string, string>> | null;
  readonly classIndex: number;
  readonly replay: RouteSpec["replay"];
  readonly upgrades: readonly string[];
  /** 0 is no limit. */
  readonly bodyBytesMax: number;
  readonly rewrite: PrefixRewrite | null;
  /** For `Host`; null keeps the client's. */
  readonly host: string | null;
  /** What models are called for the backends; null where they keep their names. */
  readonly models: ModelRewrite | null;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
}

/** It answers itself. */
export interface LocalRoute {
  readonly kind: "local";
  readonly match: RouteMatch;
  readonly name: string;
  readonly spec: RouteSpec;
  readonly answer: FixedAnswer | Redirect;
}

/** All that the route takes goes to that pool. */
export function leadsTo(route: Route, pool: string): route is PoolRoute {
  return route.kind === "pool" && route.split === null && route.traffic.name === pool;
}

/** Where copies of a route's requests go. */
export interface RouteMirror {
  readonly traffic: PoolTraffic;
  /** 0..1 of the requests. */
  readonly share: number;
  readonly requestsMax: number;
}

/** What holds where a route says nothing, and for how many threads. */
export interface RouteLimits {
  /** 0 is no limit. */
  readonly bodyBytesMax: number;
  readonly threads: number;
}

/** Compiles routes; `pools` has every pool that a route names. */
export function compileRoutes(
  specs: readonly RouteSpec[],
  pools: ReadonlyMap<string, PoolTraffic>,
  { bodyBytesMax, threads }: RouteLimits,
): Route[] {
  return specs.map((spec) => {
    const { target } = spec;
    const match = compileMatch(spec.match);
    const name = routeName(match);
    if (target.kind !== "pools")
      return { kind: "local", match, name, spec, answer: localAnswer(spec, target) };
    const parts = target.pools.map(({ name: pool, weight }) => {
      return { traffic: withOwnRules(pools.get(pool)!, spec), weight };
    });
    return {
      kind: "pool",
      match,
      name,
      spec,
      traffic: parts[0]!.traffic,
      split: parts.length > 1 ? new Split(parts) : null,
      mirror: spec.mirror === null ? null : compileMirror(spec.mirror, pools, threads),
      labels: Object.keys(spec.labels).length === 0 ? null : spec.labels,
      classIndex: WORK_CLASSES.indexOf(spec.class),
      replay: spec.replay,
      upgrades: spec.upgrades,
      bodyBytesMax: spec.bodyBytesMax ?? bodyBytesMax,
      rewrite: spec.rewrite.prefix === null ? null : new PrefixRewrite(spec.rewrite.prefix),
      host: spec.rewrite.host,
      models: spec.rewrite.models.length === 0 ? null : new ModelRewrite(spec.rewrite.models),
      requestFields: fieldEdits(spec.requestHeaders),
      responseFields: fieldEdits(spec.responseHeaders),
    };
  });
}

/** Host and path, as logs say it: "=" before an exact path, "~" before a regular expression. */
function routeName({ host, pathKind, path }: RouteMatch): string {
  return `${host ?? ""}${NAME_MARKS[pathKind]}${path}`;
}

const NAME_MARKS = { prefix: "", exact: "=", regex: "~" } as const;

function localAnswer(
  spec: RouteSpec,
  target: Exclude<RouteTargetSpec, { kind: "pools" }>,
): FixedAnswer | Redirect {
  if (target.kind === "answer") return fixedAnswer(target);
  return new Redirect(target, fieldEdits(spec.responseHeaders)?.linesOfOwn ?? "");
}

function fixedAnswer({ status, headers, body }: FixedSpec): FixedAnswer {
  const isTyped = body === "" || headers.some(({ name }) => name === "content-type");
  const type = isTyped ? "" : "content-type: text/plain; charset=utf-8\r\n";
  // Answers are written as latin1: these are the bytes of the UTF-8 text.
  return {
    kind: "fixed",
    status,
    lines: type + fieldLines(headers),
    body: Buffer.from(body).toString("latin1"),
  };
}

function compileMirror(
  { pool, share, requestsMax }: MirrorSpec,
  pools: ReadonlyMap<string, PoolTraffic>,
  threads: number,
): RouteMirror {
  // Each thread counts its own copies.
  return { traffic: pools.get(pool)!, share, requestsMax: Math.ceil(requestsMax / threads) };
}

/** The pool as this route's requests see it: its own timeouts and retries in place of the pool's. */
function withOwnRules(traffic: PoolTraffic, { timeouts, retry }: RouteSpec): PoolTraffic {
  const { firstByteMs, idleMs } = timeouts;
  return {
    ...traffic,
    timeouts: {
      ...traffic.timeouts,
      firstByteMs: firstByteMs ?? traffic.timeouts.firstByteMs,
      idleMs: idleMs ?? traffic.timeouts.idleMs,
    },
    retry: ownRetry(traffic.retry, retry),
  };
}

function ownRetry(pool: RetryRules | null, own: RouteSpec["retry"]): RetryRules | null {
  if (pool === null || own.kind === "off") return null;
  const backoffMs = own.backoffMs ?? pool.backoffMs;
  return {
    attempts: own.attempts ?? pool.attempts,
    on: own.on ?? pool.on,
    firstToken: own.firstToken ?? pool.firstToken,
    bodyBytesMax: own.bodyBytesMax ?? pool.bodyBytesMax,
    backoffMs,
    backoffMsMax: Math.max(backoffMs, own.backoffMsMax ?? pool.backoffMsMax),
  };
}
