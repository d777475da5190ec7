import * as z from "zod";

import type {
  ConnectionsConfig,
  FirstTokenConfig,
  QueueConfig,
  RetryConditionsConfig,
  RetryConfig,
  TimeoutsConfig,
} from "./config.ts";
import { duration, integer, number, offOr, percent, scalar, size, wrong } from "./scalars.ts";
import { didYouMean } from "./suggest.ts";

const CONDITIONS = ["connect_failure", "reset", "first_byte_timeout", "http_5xx"] as const;

/** Where requests wait when every backend is at its limit. */
export const queueSchema: z.ZodType<QueueConfig | null> = offOr(
  z
    .strictObject({
      max: integer(1, 1_000_000).prefault(1000).describe("requests that may wait; one more is answered 503"),
      wait: duration(1, 3_600_000).prefault("60s").describe("longest wait; then 503 with `Retry-After`"),
    })
    .transform((written): QueueConfig => ({ requestsMax: written.max, waitMs: written.wait })),
);

/** What is tried again on another backend. */
export const retrySchema: z.ZodType<RetryConfig | null> = offOr(
  z
    .strictObject({
      attempts: integer(1, 10).prefault(2).describe("tries of one request, the first included"),
      budget: percent().prefault("20%").describe("retries may be this part of the requests of the last 10 s"),
      budget_min_per_second: number(0, 1_000_000)
        .prefault(1)
        .describe("retries a second that are always allowed"),
      on: z
        .array(retryCondition())
        .max(32)
        .prefault(["connect_failure", "reset", 502, 503, 504])
        .describe(
          "what is tried again: `connect_failure`, `reset`, `first_byte_timeout`, `http_5xx` or " +
            "statuses 400 to 599",
        ),
      first_token: firstToken()
        .prefault("auto")
        .describe(
          "when the first token of a prompt is late, and another backend has the prompt if it is " +
            "expected to be sooner: `auto` is twice the forecast and 2s",
        ),
      body_max: size(0, 1_073_741_824)
        .prefault("1MiB")
        .describe(
          "request bytes that are kept to be sent again; a larger request is not retried once it was sent",
        ),
      backoff: duration(0, 60_000)
        .prefault("25ms")
        .describe("pause before the first retry; doubles, with jitter"),
      backoff_max: duration(0, 300_000).prefault("1s").describe("longest pause"),
    })
    .transform((written): RetryConfig => ({
      attempts: written.attempts,
      budgetShare: written.budget,
      budgetPerSecondMin: written.budget_min_per_second,
      on: toConditions(written.on),
      firstToken: written.first_token,
      bodyBytesMax: written.body_max,
      backoffMs: written.backoff,
      backoffMsMax: Math.max(written.backoff, written.backoff_max),
    })),
);

/** How long a backend may take. */
export const timeoutsSchema: z.ZodType<TimeoutsConfig> = z
  .strictObject({
    connect: duration(10, 300_000).prefault("1s").describe("to connect to a backend"),
    first_byte: duration(10, 86_400_000)
      .prefault("600s")
      .describe("from the whole request sent to the first byte of the answer; long prompts take long"),
    idle: duration(10, 86_400_000).prefault("60s").describe("between two pieces of an answer"),
    tunnel_idle: duration(100, 604_800_000)
      .prefault("1h")
      .describe("without a byte in either direction of a WebSocket or another tunnel"),
  })
  .transform((written): TimeoutsConfig => {
    const { connect, first_byte, idle, tunnel_idle } = written;
    return { connectMs: connect, firstByteMs: first_byte, idleMs: idle, tunnelIdleMs: tunnel_idle };
  });

/** Connections that are kept for the next request. */
export const connectionsSchema: z.ZodType<ConnectionsConfig> = z
  .strictObject({
    idle_max: integer(0, 65_535).prefault(256).describe("unused connections kept to one backend"),
    idle_timeout: duration(100, 3_600_000)
      .prefault("30s")
      .describe("an unused connection is closed after this time; keep it below the backend's own"),
  })
  .transform((written): ConnectionsConfig => {
    return { idleMax: written.idle_max, idleMs: written.idle_timeout };
  });

/** A word or a status. */
export type RetryCondition = number | (typeof CONDITIONS)[number];

/** A failure that is tried again. */
export function retryCondition(): z.ZodType<RetryCondition> {
  const json = {
    anyOf: [
      { type: "string", enum: CONDITIONS },
      { type: "integer", minimum: 400, maximum: 599 },
    ],
  };
  return scalar("condition or status", json, (value) => {
    const word = CONDITIONS.find((name) => name === value);
    if (word !== undefined) return word;
    const status = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
    if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
    const hint = typeof value === "string" ? didYouMean(value, CONDITIONS) : undefined;
    return wrong(value, "a condition", `${CONDITIONS.join(", ")} or a status 400 to 599`, hint);
  });
}

/** When a first token is late. */
export function firstToken(): z.ZodType<FirstTokenConfig> {
  return z.union([z.literal("auto"), z.literal("off"), duration(100, 86_400_000)]);
}

/** What was written in `retry.on`, sorted out. */
export function toConditions(written: readonly RetryCondition[]): RetryConditionsConfig {
  const statuses = new Set<number>(written.filter((entry) => typeof entry === "number"));
  if (written.includes("http_5xx")) for (let status = 500; status <= 599; status++) statuses.add(status);
  return {
    connectFailure: written.includes("connect_failure"),
    reset: written.includes("reset"),
    firstByteTimeout: written.includes("first_byte_timeout"),
    statuses: [...statuses].toSorted((a, b) => a - b),
  };
}
