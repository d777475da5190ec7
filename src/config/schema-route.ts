import * as z from "zod";

import type { RouteConfig, RouteMatchConfig } from "./config.ts";
import { fieldMap, textMap } from "./maps.ts";
import { text } from "./scalars.ts";
import { upgradeList } from "./schema-upgrades.ts";

const HOST = /^(?:\*\.)?[A-Za-z0-9_](?:[\w.-]{0,252})$|^\[[0-9a-fA-F:.]+\]$/;
const method = text("text", {
  what: "a method",
  example: "GET or POST, in capitals",
  pattern: /^[A-Z-]{1,32}$/,
});

const matchSchema = z
  .strictObject({
    host: text("text", {
      what: "a host",
      example: "api.example.com or *.example.com (no port)",
      pattern: HOST,
    })
      .optional()
      .describe("a host, or `*.example.com` for every name below it; without it every host"),
    path: text("path", { what: "a path", example: "/v1/ (it starts with a slash)", pattern: /^\/[!-~]*$/ })
      .prefault("/")
      .describe("a path prefix"),
    method: z
      .union([method.transform((one) => [one]), z.array(method).min(1)])
      .optional()
      .describe("a method or a list of them; without it every method"),
    header: fieldMap(new Set()).prefault({}).describe("headers that must be there with exactly this value"),
  })
  .transform(({ host, path, method: methods = [], header }): RouteMatchConfig => {
    const headers = Object.entries(header).map(([name, value]) => ({ name, value }));
    return { host: host?.toLowerCase() ?? null, path, methods, headers };
  });

/** Which requests go to which pool. */
export const routeSchema: z.ZodType<RouteWritten> = z.strictObject({
  match: matchSchema.prefault({}).describe("all that is written must match; without it every request does"),
  pool: text("text", { what: "a pool's name", example: "default" }).describe("a name of `pools`"),
  labels: textMap({ keys: /^[\w./-]{1,63}$/, what: "label", lengthMax: 256 })
    .prefault({})
    .describe("only backends with all of these labels are used"),
  replay: z
    .enum(["auto", "always", "never"])
    .prefault("auto")
    .describe("may a request be sent twice? `auto`: where HTTP or the LLM API allows it"),
  class: z.enum(["high", "normal", "low"]).prefault("normal").describe("who leaves the queue first"),
  upgrades: upgradeList().optional().describe("in place of the file's `upgrades`"),
});

/** A route that may leave it to the file which upgrades it takes. */
export type RouteWritten = Omit<RouteConfig, "upgrades"> & { upgrades?: readonly string[] | undefined };
