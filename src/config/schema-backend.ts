import * as z from "zod";

import { backendUrl } from "./address.ts";
import type { BackendConfig } from "./config.ts";
import { fieldMap, textMap } from "./maps.ts";
import { integer, number, text } from "./scalars.ts";
import { backendTlsSchema, type BackendTlsWritten } from "./schema-tls.ts";

/** What belongs to one connection or to the message itself is Evener's to write. */
const FIELDS_OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const backendObject = z
  .strictObject({
    url: backendUrl().describe(
      "`http://host:port`, or `host:port` for the same; `https://host:port`; `unix:/path`; " +
        "IPv6 addresses in brackets",
    ),
    id: text("text", { what: "an id", example: "gpu-1", pattern: /^[\w.:[\]-]{1,128}$/ })
      .optional()
      .describe(
        "its name in metrics, logs and commands, unique in the pool; without it `host:port` or `unix:/path`",
      ),
    weight: number(0.001, 1_000_000).prefault(1).describe("its share of the work, relative to the others"),
    limit: integer(1, 1_000_000)
      .optional()
      .describe("requests that it may have at once; never exceeded, the others wait; without it no limit"),
    labels: textMap({ keys: /^[\w./-]{1,63}$/, what: "label", lengthMax: 256 })
      .prefault({})
      .describe("marks that routes can ask for, such as `{ gpu: h100 }`"),
    priority: integer(0, 9)
      .prefault(0)
      .describe("0 is used first; higher numbers take over as `failover` says"),
    headers: fieldMap(FIELDS_OF_THE_CONNECTION)
      .prefault({})
      .describe("set on every request and probe to this backend, such as an API key"),
    tls: backendTlsSchema.optional().describe("for an `https://` URL: what differs from the pool's `tls`"),
    engine: text("auto or text", { what: "an engine", example: "vllm", pattern: /^[a-z][a-z0-9_.-]{0,31}$/ })
      .prefault("auto")
      .describe("which server it is: `vllm`, `sglang`, `llamacpp`, `ollama`, ...; `auto` asks it"),
  })
  .transform(({ url: address, id = address.authority, limit = 0, tls = null, ...rest }): BackendWritten => {
    const { authority: _, ...place } = address;
    return { ...rest, ...place, id, limit, tls };
  });

/** A backend before its pool's word on TLS. */
export interface BackendWritten extends Omit<BackendConfig, "tls"> {
  readonly isTls: boolean;
  /** Its own `tls`; null = not written. */
  readonly tls: BackendTlsWritten | null;
}

/** A backend is a URL or a map with one. */
export const backendSchema: z.ZodType<BackendWritten> = z.union([
  backendUrl().transform((address) => backendObject.parse({ url: address.url })),
  backendObject,
]);

/** The backends of one pool. */
export function backendList(): z.ZodType<BackendWritten[]> {
  return z
    .array(backendSchema)
    .min(1)
    .transform((backends, context) => {
      const seen = new Set<string>();
      for (const [index, { id }] of backends.entries()) {
        if (seen.has(id)) {
          const message = `the id "${id}" is there twice; give each backend an "id" of its own`;
          context.addIssue({ code: "custom", path: [index], message });
        }
        seen.add(id);
      }
      return backends;
    });
}
