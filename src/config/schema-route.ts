import * as z from "zod";

import type {
  AnswerConfig,
  PrefixConfig,
  RedirectConfig,
  RouteConfig,
  RouteMatchConfig,
  RouteTargetConfig,
} from "./config-route.ts";
import { textMap } from "./maps.ts";
import { reservedInRequests, reservedInResponses } from "./reserved-fields.ts";
import { size, text } from "./scalars.ts";
import {
  answerSchema,
  editsSchema,
  mirrorSchema,
  redirectSchema,
  rewriteSchema,
  routeRetrySchema,
  routeTimeoutsSchema,
  splitSchema,
} from "./schema-action.ts";
import { matchSchema } from "./schema-match.ts";
import { upgradeList } from "./schema-upgrades.ts";

/** Which requests go where. That exactly one target is there is a cross check: it reports beside all else. */
export const routeSchema: z.ZodType<RouteWritten> = z
  .strictObject({
    match: matchSchema.prefault({}).describe("all that is written must match; without it every request does"),
    pool: text("text", { what: "a pool's name", example: "default" })
      .optional()
      .describe("a name of `pools`; a route has exactly one of `pool`, `split`, `redirect` and `answer`"),
    split: splitSchema
      .optional()
      .describe("several pools, each with its weight: `{ stable: 95, canary: 5 }`"),
    redirect: redirectSchema.optional().describe("sends the client elsewhere"),
    answer: answerSchema.optional().describe("a fixed answer"),
    labels: textMap({ keys: /^[\w./-]{1,63}$/, what: "label", lengthMax: 256 })
      .prefault({})
      .describe("only backends with all of these labels are used"),
    replay: z
      .enum(["auto", "always", "never"])
      .prefault("auto")
      .describe("may a request be sent twice? `auto`: where HTTP or the LLM API allows it"),
    class: z.enum(["high", "normal", "low"]).prefault("normal").describe("who leaves the queue first"),
    upgrades: upgradeList().optional().describe("in place of the file's `upgrades`"),
    rewrite: rewriteSchema
      .prefault({})
      .describe("what backends are asked for in place of what the client asked"),
    request_headers: editsSchema(reservedInRequests).prefault({}).describe("headers for the backends"),
    response_headers: editsSchema(reservedInResponses)
      .prefault({})
      .describe("headers for the client; `set` and `add` also hold on Evener's own errors and redirects"),
    timeouts: routeTimeoutsSchema.prefault({}).describe("what differs from the pool's `timeouts`"),
    retry: routeRetrySchema.prefault({}).describe("what differs from the pool's `retry`; or off"),
    body_max: size(0, 1_099_511_627_776)
      .optional()
      .describe("a request's body; beyond it 413; 0 = no limit; without it `limits.body_bytes`"),
    mirror: mirrorSchema.optional().describe("copies of requests to another pool, whose answers nobody sees"),
  })
  .transform((written, context): RouteWritten => {
    const { match, rewrite, redirect } = written;
    if (rewrite.prefix !== null) checkPrefix(match, rewrite.prefix, "rewrite", context);
    if (redirect?.prefix) checkPrefix(match, redirect.prefix, "redirect", context);
    return {
      match,
      target: targetOf(written),
      labels: written.labels,
      replay: written.replay,
      class: written.class,
      upgrades: written.upgrades,
      rewrite,
      requestHeaders: written.request_headers,
      responseHeaders: written.response_headers,
      timeouts: written.timeouts,
      retry: written.retry,
      bodyBytesMax: written.body_max ?? null,
      mirror: written.mirror ?? null,
    };
  });

/** A route that may leave it to the file which upgrades it takes. */
export type RouteWritten = Omit<RouteConfig, "upgrades"> & { upgrades?: readonly string[] | undefined };

interface Targets {
  readonly pool?: string | undefined;
  readonly split?: { name: string; weight: number }[] | undefined;
  readonly redirect?: RedirectConfig | undefined;
  readonly answer?: AnswerConfig | undefined;
}

function targetOf({ pool, split, redirect, answer }: Targets): RouteTargetConfig {
  if (redirect !== undefined) return { kind: "redirect", ...redirect };
  if (answer !== undefined) return { kind: "answer", ...answer };
  return { kind: "pools", pools: split ?? [{ name: pool ?? "", weight: 1 }] };
}

/** A prefix that no request of the route can begin with is a mistake. */
function checkPrefix(
  { path }: RouteMatchConfig,
  prefix: PrefixConfig,
  block: string,
  context: z.RefinementCtx,
): void {
  if (path.kind === "regex") return;
  const whole = path.text.endsWith("/") ? path.text.slice(0, -1) : path.text;
  const isBelow = path.kind === "prefix" && `${prefix.from}/`.startsWith(`${whole}/`);
  if (isBelow || `${whole}/`.startsWith(`${prefix.from}/`)) return;
  const why = `the route's path is ${path.text}: ${prefix.from} is never at its beginning`;
  const message = `${why}; correct one of both`;
  context.addIssue({ code: "custom", path: [block], message, params: { at: "key" } });
}
