import * as z from "zod";

import { PathPattern } from "../http1/path-pattern.ts";
import type { ConditionConfig, PathConfig, RouteMatchConfig } from "./config-route.ts";
import { FIELD_NAME, named } from "./maps.ts";
import { scalar, text, Wrong, wrong, yesOrNo } from "./scalars.ts";

const HOST = /^(?:\*\.)?[A-Za-z0-9_](?:[\w.-]{0,252})$|^\[[0-9a-fA-F:.]+\]$/;
const COOKIE_NAME = /^[\w!#$%&'*+^`|~.-]{1,64}$/;
/** What messages call them. */
const WORDS = { header: "header", query: "parameter", cookie: "cookie" } as const;
const PARAMETER_NAME = /^[ -~]{1,128}$/;

const method = text("text", {
  what: "a method",
  example: "GET or POST, in capitals",
  pattern: /^[A-Z-]{1,32}$/,
});

/** A model's name; `*` in it stands for any characters where it says which models are meant. */
export const modelName: z.ZodType<string> = text("text", {
  what: "a model's name",
  example: 'llama-3-70b, or "llama-*"',
  pattern: /^[!-~]{1,256}$/,
});

/** What a request must be like. */
export const matchSchema: z.ZodType<RouteMatchConfig> = z
  .strictObject({
    host: text("text", {
      what: "a host",
      example: "api.example.com or *.example.com (no port)",
      pattern: HOST,
    })
      .optional()
      .describe("a host, or `*.example.com` for every name below it; without it every host"),
    path: pathSchema()
      .prefault("/")
      .describe("a prefix by whole segments (`/v1` takes `/v1/x`, not `/v10`), or how else it is compared"),
    method: z
      .union([method.transform((one) => [one]), z.array(method).min(1)])
      .optional()
      .describe("a method or a list of them; without it every method"),
    model: z
      .union([modelName.transform((one) => [one]), z.array(modelName).min(1)])
      .optional()
      .describe(
        "the model that the request asks for, or a list; `*` is any characters; without it every request",
      ),
    header: conditions("header", FIELD_NAME, 1).prefault({}).describe("headers that must be there"),
    query: conditions("query", PARAMETER_NAME, 0)
      .prefault({})
      .describe("parameters of the query that must be there, compared unescaped"),
    cookie: conditions("cookie", COOKIE_NAME, 0).prefault({}).describe("cookies that must be there"),
  })
  .transform(({ host, path, method: methods = [], model: models = [], ...rest }): RouteMatchConfig => {
    const found = [...rest.header, ...rest.query, ...rest.cookie];
    return { host: host?.toLowerCase() ?? null, path, methods, models, conditions: found };
  });

/** A path as requests have it: no query, no fragment. */
export function plainPath(example: string): z.ZodType<string> {
  return text("path", {
    what: "a path",
    example: `${example} (it starts with a slash)`,
    pattern: /^\/[!$-;=@-[\]-~]*$/,
  });
}

function pathSchema(): z.ZodType<PathConfig> {
  const form = z
    .strictObject({
      prefix: plainPath("/v1").optional().describe("the same as the text alone"),
      exact: plainPath("/v1/models").optional().describe("the whole path, nothing else"),
      regex: pattern()
        .optional()
        .describe("a regular expression (RE2 syntax) that the whole path matches, as it was sent"),
    })
    .transform((paths, context): PathConfig => {
      const [first, ...others] = KINDS.filter((kind) => paths[kind] !== undefined);
      if (first !== undefined && others.length === 0) return { kind: first, text: paths[first]! };
      // A mistyped key says enough.
      const message = "write exactly one of prefix, exact and regex";
      if (context.issues.length === 0) context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
  const written = plainPath("/v1/");
  return z.union([written.transform((path): PathConfig => ({ kind: "prefix", text: path })), form]);
}

const KINDS = ["prefix", "exact", "regex"] as const;

function pattern(): z.ZodType<string> {
  const example = "'/v1/models/[^/]+' (in single quotes)";
  return scalar("regular expression", { type: "string" }, (value) => {
    if (typeof value !== "string" || value === "") return wrong(value, "a regular expression", example);
    if (value.length > PATTERN_LENGTH_MAX) {
      return new Wrong(`is too long; at most ${PATTERN_LENGTH_MAX} characters`);
    }
    try {
      return new PathPattern(value).text;
    } catch (error) {
      const why = (error as Error).message.replace(/^error parsing regexp: /, "");
      return new Wrong(`is no regular expression that RE2 knows: ${why}; write ${example}`);
    }
  });
}

const PATTERN_LENGTH_MAX = 1024;

function conditions(
  from: ConditionConfig["from"],
  names: RegExp,
  lengthMin: number,
): z.ZodType<ConditionConfig[]> {
  const what = `a ${WORDS[from]}'s value`;
  const value = text("text", { what, example: `gold, or "{ present: true }"`, lengthMin, lengthMax: 8192 });
  const presence = z.strictObject({
    present: yesOrNo().describe("`true`: it is there, whatever its value; `false`: it is not there"),
  });
  const condition = z.union([
    value.transform((written): Wanted => ({ value: written, isPresent: true })),
    presence.transform(({ present }): Wanted => ({ value: null, isPresent: present })),
  ]);
  return named(WORDS[from], names, condition).transform((written) =>
    Object.entries(written).map(([name, wanted]): ConditionConfig => {
      return { from, name: from === "header" ? name.toLowerCase() : name, ...wanted };
    }),
  );
}

type Wanted = Pick<ConditionConfig, "value" | "isPresent">;
