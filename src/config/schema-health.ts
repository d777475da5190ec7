import * as z from "zod";

import type { AgentCheckConfig, HealthConfig, OutlierConfig, SlowdownConfig } from "./config.ts";
import { duration, integer, number, offOr, percent, scalar, text, Wrong, wrong } from "./scalars.ts";

/** Active probes. */
export const healthSchema: z.ZodType<HealthConfig | null> = offOr(
  z
    .strictObject({
      kind: z.enum(["http", "tcp"]).prefault("http").describe("`http` sends a GET, `tcp` only connects"),
      path: text("auto or path", { what: "auto or a path", example: "/health", pattern: /^auto$|^\/[!-~]*$/ })
        .prefault("auto")
        .describe("what a probe asks for; `auto` is what the engine is known to answer"),
      interval: duration(100, 3_600_000)
        .prefault("2s")
        .describe("time between probes of a backend that is up"),
      timeout: duration(10, 300_000).prefault("1s").describe("a probe that takes longer has failed"),
      rise: integer(1, 100).prefault(2).describe("passes in a row that bring a backend back"),
      fall: integer(1, 100).prefault(3).describe("failures in a row that take a backend down"),
      down_interval: duration(100, 3_600_000)
        .prefault("1s")
        .describe("time between probes of a backend that is down"),
      jitter: percent()
        .prefault("10%")
        .describe("each interval is moved by up to this part of itself, so that probes do not come in step"),
      expect: z
        .strictObject({
          status: statuses()
            .prefault("200-399")
            .describe("a status or ranges that pass, such as `200,204-299`"),
          body: text("text", { what: "a text", example: `"ok"` })
            .optional()
            .describe("the answer must contain this text; without it any body passes"),
        })
        .prefault({})
        .describe("what a passing answer of an `http` probe looks like"),
      concurrency: integer(1, 1000).prefault(16).describe("probes of this pool that run at once, at most"),
    })
    .transform((written): HealthConfig => ({
      kind: written.kind,
      path: written.path,
      intervalMs: written.interval,
      timeoutMs: written.timeout,
      rise: written.rise,
      fall: written.fall,
      downIntervalMs: written.down_interval,
      jitterShare: written.jitter,
      expect: { statuses: written.expect.status, body: written.expect.body ?? null },
      concurrencyMax: written.concurrency,
    })),
);

/** What backends say about themselves over HAProxy's agent-check protocol. */
export const agentCheckSchema: z.ZodType<AgentCheckConfig | null> = offOr(
  z
    .strictObject({
      port: integer(1, 65_535).describe("TCP port of the agent on every backend's host"),
      interval: duration(100, 3_600_000).prefault("2s").describe("time between two questions to an agent"),
      tls: z
        .enum(["on", "off"])
        .prefault("off")
        .describe("`on`: agents of `https://` backends speak TLS, too, and are verified like their backend"),
    })
    .transform((written): AgentCheckConfig => {
      return { port: written.port, intervalMs: written.interval, tls: written.tls === "on" };
    }),
);

/** What real work says about a backend. */
export const outlierSchema: z.ZodType<OutlierConfig | null> = offOr(
  z
    .strictObject({
      consecutive: integer(1, 32).prefault(5).describe("failures in a row that eject a backend"),
      failures: integer(1, 32)
        .prefault(10)
        .describe("so many failures among the last `of` outcomes eject, too"),
      of: integer(1, 32).prefault(20).describe("outcomes that `failures` looks back on"),
      ejection: duration(100, 3_600_000)
        .prefault("10s")
        .describe("length of the first ejection; doubles with every further one"),
      ejection_max: duration(100, 86_400_000).prefault("300s").describe("longest ejection"),
      ejected_max: percent().prefault("50%").describe("part of the pool that may be ejected at once"),
      panic: percent().prefault("50%").describe("with a smaller part of the pool usable, all of it is used"),
    })
    .transform((written, context): OutlierConfig => {
      if (written.failures > written.of) {
        context.addIssue({ code: "custom", path: ["failures"], message: moreThanOf(written) });
      }
      if (written.ejection > written.ejection_max) {
        const message = "is longer than ejection_max; write a shorter time or raise ejection_max";
        context.addIssue({ code: "custom", path: ["ejection"], message });
      }
      return {
        consecutive: written.consecutive,
        failures: written.failures,
        of: written.of,
        ejectionMs: written.ejection,
        ejectionMsMax: written.ejection_max,
        ejectedShareMax: written.ejected_max,
        panicShare: written.panic,
      };
    }),
);

/** Slow backends get less work before they get none. */
export const slowdownSchema: z.ZodType<SlowdownConfig | null> = offOr(
  z
    .strictObject({
      tolerance: number(1.1, 100)
        .prefault(2)
        .describe("so many times slower than its peers, or than its own past, is still normal"),
      useless: number(2, 10_000)
        .prefault(20)
        .describe("so many times slower is useless: the backend is ejected"),
    })
    .transform((written, context): SlowdownConfig => {
      if (written.useless <= written.tolerance) {
        const { tolerance, useless } = written;
        const message = `${useless} is not above tolerance (${tolerance}); write a larger number`;
        context.addIssue({ code: "custom", path: ["useless"], message });
      }
      return written;
    }),
);

const STATUS = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/;
const STATUS_RANGES_MAX = 16;

type Statuses = HealthConfig["expect"]["statuses"];

function statuses(): z.ZodType<Statuses> {
  return scalar("status or ranges", { type: ["string", "integer"] }, (value) => {
    if (typeof value !== "string" && typeof value !== "number") return wrong(value, "a status", `"200-399"`);
    const parts = String(value).split(",");
    if (parts.length > STATUS_RANGES_MAX) return new Wrong(`has more than ${STATUS_RANGES_MAX} ranges`);
    const ranges: { from: number; to: number }[] = [];
    for (const part of parts) {
      const match = STATUS.exec(part.trim());
      if (match === null) return wrong(value, "a status", `"200-399" or "200,204"`);
      const from = Number(match[1]);
      const to = Number(match[2] ?? from);
      if (to < from) return new Wrong(`the range ${part.trim()} is empty; write the lower status first`);
      ranges.push({ from, to });
    }
    return ranges;
  });
}

function moreThanOf(written: { failures: number; of: number }): string {
  return `${written.failures} failures can not be among ${written.of} outcomes; write at most ${written.of}`;
}
