import * as z from "zod";

import type { PoolConfig } from "./config.ts";
import { duration, offOr } from "./scalars.ts";
import { backendList, type BackendWritten } from "./schema-backend.ts";
import { tenantKey } from "./schema-key.ts";
import { agentCheckSchema, healthSchema, outlierSchema, slowdownSchema } from "./schema-health.ts";
import { policySchema } from "./schema-policy.ts";
import { sessionSchema } from "./schema-session.ts";
import { backendTlsSchema, type BackendTlsWritten } from "./schema-tls.ts";
import { connectionsSchema, queueSchema, retrySchema, timeoutsSchema } from "./schema-traffic.ts";

/** One pool without its name, which is its key in `pools`. */
export const poolSchema: z.ZodType<UnnamedPool> = z
  .strictObject({
    policy: policySchema
      .prefault("auto")
      .describe("how a backend is chosen; its options stand beside `name`"),
    backends: backendList().describe(
      "the model servers; each is a URL (`http://` may be left out) or a map with `url`",
    ),
    tls: backendTlsSchema
      .optional()
      .describe("how backends with an `https://` URL are verified; without it by what Node trusts"),
    health: healthSchema.prefault({}).describe("active probes; with `off` only outcomes of real work count"),
    agent_check: agentCheckSchema
      .prefault("off")
      .describe("asks an agent beside each backend how it is (HAProxy's agent-check lines)"),
    outlier: outlierSchema.prefault({}).describe("ejects backends whose real work fails"),
    slowdown: slowdownSchema.prefault({}).describe("gives slow backends less work"),
    slow_start: offOr(duration(100, 3_600_000))
      .prefault("30s")
      .describe("a backend that is new or came back gets its full share only after this time"),
    session: sessionSchema.prefault("off").describe("keeps the requests with one key on one backend"),
    queue: queueSchema.prefault({}).describe("where requests wait when every backend is at its limit"),
    retry: retrySchema.prefault({}).describe("failed requests that can still be saved go to another backend"),
    timeouts: timeoutsSchema.prefault({}).describe("how long a backend may take"),
    failover: z
      .enum(["down", "full"])
      .prefault("down")
      .describe("the next priority takes over when all above are `down`, or already when they are `full`"),
    connections: connectionsSchema.prefault({}).describe("kept-alive connections to the backends"),
    proxy_protocol: offOr(z.enum(["v1", "v2"]))
      .prefault("off")
      .describe("begins every connection to a backend with a PROXY header that names the client"),
    orca: z
      .enum(["auto", "off", "text", "json"])
      .prefault("auto")
      .describe(
        "asks the backends with every request how loaded they are (ORCA, as vLLM and Triton answer it);" +
          " `auto`: in `text` where the policy is `resource` and no agent is asked, else `off`",
      ),
    prompt_tenant: offOr(tenantKey())
      .prefault("off")
      .describe(
        "prompts of different tenants are never taken for each other's cache: where the engines keep caches" +
          " apart, by whoever is in this header or cookie",
      ),
  })
  .transform((written): UnnamedPool => ({
    policy: written.policy,
    backends: written.backends,
    tls: written.tls ?? null,
    agentCheck: written.agent_check,
    health: written.health,
    outlier: written.outlier,
    slowdown: written.slowdown,
    slowStartMs: written.slow_start ?? 0,
    session: written.session,
    queue: written.queue,
    retry: written.retry,
    timeouts: written.timeouts,
    failover: written.failover,
    connections: written.connections,
    proxyProtocol: written.proxy_protocol,
    promptTenant: written.prompt_tenant,
    loadReports: loadReportsOf(written.orca, written.policy.name, written.agent_check !== null),
  }));

/** A report replaces the one before as a whole: who asks agents has to want both. */
function loadReportsOf(
  orca: "auto" | "off" | "text" | "json",
  policy: string,
  hasAgents: boolean,
): PoolConfig["loadReports"] {
  if (orca === "auto") return policy === "resource" && !hasAgents ? "text" : null;
  return orca === "off" ? null : orca;
}

/** A pool whose name is not known yet, and whose files are not read. */
export interface UnnamedPool extends Omit<PoolConfig, "name" | "backends"> {
  readonly backends: BackendWritten[];
  readonly tls: BackendTlsWritten | null;
}
