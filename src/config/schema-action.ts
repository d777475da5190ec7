import * as z from "zod";

import { isAmbiguousPath } from "../http1/ambiguous-path.ts";
import type {
  AnswerConfig,
  FieldEditsConfig,
  MirrorConfig,
  ModelAliasConfig,
  PrefixConfig,
  RedirectConfig,
  RewriteConfig,
  RouteRetryConfig,
  RouteTimeoutsConfig,
} from "./config-route.ts";
import { fieldLines, fieldName, named, type Reserved } from "./maps.ts";
import { reservedInResponses } from "./reserved-fields.ts";
import { duration, integer, number, offOr, percent, scalar, size, text, Wrong, wrong } from "./scalars.ts";
import { plainPath } from "./schema-match.ts";
import { firstToken, retryCondition, toConditions } from "./schema-traffic.ts";

const AUTHORITY = /^(?:[A-Za-z0-9_][\w.-]{0,252}|\[[0-9a-fA-F:.]+\])(?::[1-9]\d{0,4})?$/;

/** Pools by weight. */
export const splitSchema: z.ZodType<{ name: string; weight: number }[]> = named(
  "pool",
  /^[A-Za-z0-9][\w.-]{0,62}$/,
  number(0, 1_000_000),
).transform((written, context) => {
  const pools = Object.entries(written).map(([name, weight]) => ({ name, weight }));
  if (pools.every(({ weight }) => weight === 0)) {
    const message = "needs a pool with a weight above 0; write { stable: 95, canary: 5 }";
    context.addIssue({ code: "custom", message });
  }
  return pools;
});

const prefixKeys = {
  strip_prefix: safePath("/api")
    .optional()
    .describe("taken off the beginning of the path, where the path has these segments"),
  replace_prefix: z
    .strictObject({
      from: safePath("/api").describe("segments at the beginning of the path; `/` is every path"),
      to: safePath("/v2").describe("what comes in their place; `/` is nothing"),
    })
    .optional()
    .describe("another beginning of the path"),
};

const newModel = text("text", {
  what: "a model's name",
  example: "llama-3-70b (no `*`)",
  pattern: /^[!-)+-~]{1,256}$/,
});
const modelAliases = named("model", /^[!-~]{1,256}$/, newModel).transform((written): ModelAliasConfig[] =>
  Object.entries(written).map(([from, to]) => ({ from, to })),
);

/** What backends are asked for. */
export const rewriteSchema: z.ZodType<RewriteConfig> = z
  .strictObject({
    ...prefixKeys,
    host: authority().optional().describe("`Host` for the backends; the client's is in `x-forwarded-host`"),
    model: z
      .union([newModel.transform((to) => [{ from: "*", to }]), modelAliases])
      .prefault({})
      .describe("the model that backends are asked for: a name, or a map of names; `*` is any characters"),
  })
  .transform(({ host = null, model: models, ...written }, context) => {
    return { prefix: prefixOf(written, context), host, models };
  });

/** Where clients are sent. */
export const redirectSchema: z.ZodType<RedirectConfig> = z
  .strictObject({
    status: status("301, 302, 303, 307 or 308", (code) => [301, 302, 303, 307, 308].includes(code))
      .prefault(302)
      .describe("307 and 308 keep the method and the body; 301 and 308 are remembered by clients"),
    scheme: z.enum(["http", "https"]).optional().describe("without it the client's; with it the port goes"),
    host: authority().optional().describe("a host, with its port if it has one; without it the client's"),
    path: safePath("/v2/models").optional().describe("the whole path; the query is kept"),
    ...prefixKeys,
  })
  .transform(({ status: code, scheme = null, host = null, path = null, ...written }, context) => {
    const prefix = prefixOf(written, context);
    if (path !== null && prefix !== null)
      refuseKey(context, "path", "stands beside a prefix; write one of both");
    if (scheme === null && host === null && path === null && prefix === null) {
      const message = "leads back to where the client came from; write a scheme, a host or a path";
      context.addIssue({ code: "custom", message });
    }
    return { status: code, scheme, host, path, prefix };
  });

/** A fixed answer. */
export const answerSchema: z.ZodType<AnswerConfig> = z
  .strictObject({
    status: status("200 to 599", (code) => code >= 200 && code <= 599)
      .prefault(200)
      .describe("status of the answer"),
    headers: fieldLines(reservedInResponses)
      .prefault({})
      .describe("headers of the answer; `content-type` is `text/plain; charset=utf-8` unless written"),
    body: text("text", { what: "a text", example: '"pong"', lengthMin: 0, lengthMax: 65_536 })
      .prefault("")
      .describe("sent as UTF-8"),
  })
  .transform((written, context) => {
    const isBodiless = [204, 205, 304].includes(written.status);
    if (isBodiless && written.body !== "") {
      refuseKey(context, "body", `a ${written.status} has no body; remove it or write another status`);
    }
    return written;
  });

/** Header lines that a route changes. */
export function editsSchema(reserved: Reserved): z.ZodType<FieldEditsConfig> {
  return z.strictObject({
    set: fieldLines(reserved).prefault({}).describe("headers with this value, whatever was there"),
    add: fieldLines(reserved).prefault({}).describe("further lines beside those that are there"),
    remove: z.array(fieldName(reserved)).prefault([]).describe("names of headers that go no further"),
  });
}

/** What differs from the pool's `timeouts`. */
export const routeTimeoutsSchema: z.ZodType<RouteTimeoutsConfig> = z
  .strictObject({
    first_byte: duration(10, 86_400_000).optional().describe("in place of the pool's `timeouts.first_byte`"),
    idle: duration(10, 86_400_000).optional().describe("in place of the pool's `timeouts.idle`"),
  })
  .transform(({ first_byte: firstByteMs = null, idle: idleMs = null }) => ({ firstByteMs, idleMs }));

/** What differs from the pool's `retry`. */
export const routeRetrySchema: z.ZodType<RouteRetryConfig> = offOr(
  z.strictObject({
    attempts: integer(1, 10).optional().describe("in place of the pool's `retry.attempts`"),
    on: z.array(retryCondition()).max(32).optional().describe("in place of the pool's `retry.on`"),
    first_token: firstToken().optional().describe("in place of the pool's `retry.first_token`"),
    body_max: size(0, 1_073_741_824).optional().describe("in place of the pool's `retry.body_max`"),
    backoff: duration(0, 60_000).optional().describe("in place of the pool's `retry.backoff`"),
    backoff_max: duration(0, 300_000).optional().describe("in place of the pool's `retry.backoff_max`"),
  }),
).transform((written): RouteRetryConfig => {
  if (written === null) return { kind: "off" };
  return {
    kind: "pool",
    attempts: written.attempts ?? null,
    on: written.on === undefined ? null : toConditions(written.on),
    firstToken: written.first_token ?? null,
    bodyBytesMax: written.body_max ?? null,
    backoffMs: written.backoff ?? null,
    backoffMsMax: written.backoff_max ?? null,
  };
});

/** Copies of requests. */
export const mirrorSchema: z.ZodType<MirrorConfig> = z
  .strictObject({
    pool: text("text", { what: "a pool's name", example: "default" }).describe("a name of `pools`"),
    share: percent().prefault("100%").describe("the part of the requests that is copied"),
    max: integer(1, 65_535).prefault(64).describe("copies under way in that pool; beyond it none is made"),
  })
  .transform(({ pool, share, max }) => ({ pool, share, requestsMax: max }));

/** A path that is put into requests or redirects: nothing that a server could read in two ways. */
function safePath(example: string): z.ZodType<string> {
  return plainPath(example).transform((path, context) => {
    if (isAmbiguousPath(path) || path.includes("//")) {
      const message = "has dot segments, %00 or an empty segment; write it normalised";
      context.addIssue({ code: "custom", message });
    }
    return path;
  });
}

interface PrefixKeys {
  readonly strip_prefix?: string | undefined;
  readonly replace_prefix?: { readonly from: string; readonly to: string } | undefined;
}

function prefixOf(written: PrefixKeys, context: z.RefinementCtx): PrefixConfig | null {
  const { strip_prefix: stripped, replace_prefix: replaced } = written;
  if (stripped !== undefined && replaced !== undefined) {
    refuseKey(context, "replace_prefix", "stands beside strip_prefix; write one of both");
  }
  if (stripped === "/") context.addIssue({ ...VOID, path: ["strip_prefix"] });
  if (replaced !== undefined && withoutEnd(replaced.from) === withoutEnd(replaced.to)) {
    context.addIssue({ ...VOID, path: ["replace_prefix"] });
  }
  if (stripped !== undefined) return { from: withoutEnd(stripped), to: "" };
  return replaced === undefined ? null : { from: withoutEnd(replaced.from), to: withoutEnd(replaced.to) };
}

const VOID = { code: "custom", message: "changes nothing; write another path, such as /api" } as const;

function withoutEnd(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function authority(): z.ZodType<string> {
  return text("text", {
    what: "a host",
    example: "api.example.com or api.example.com:8080",
    pattern: AUTHORITY,
  }).transform((host) => host.toLowerCase());
}

function status(range: string, takes: (code: number) => boolean): z.ZodType<number> {
  return scalar(`status, ${range}`, { type: "integer", minimum: 200, maximum: 599 }, (value) => {
    const code = typeof value === "string" && /^\d{3}$/.test(value) ? Number(value) : value;
    if (typeof code !== "number" || !Number.isInteger(code)) return wrong(value, "a status", range);
    return takes(code) ? code : new Wrong(`${code} is no status for this; write ${range}`);
  });
}

function refuseKey(context: z.RefinementCtx, key: string, message: string): void {
  context.addIssue({ code: "custom", path: [key], message, params: { at: "key" } });
}
