import * as z from "zod";
import type { TenantRule } from "../core/tasks/tenants.ts";
import { bind, checkToken, TASKS_BIND } from "./address.ts";
import type { TasksConfig } from "./config-tasks.ts";
import { named } from "./maps.ts";
import { duration, integer, number, secret, size, text } from "./scalars.ts";

const tenantSchema = z
  .strictObject({
    weight: number(0.001, 1_000).prefault(1).describe("its share beside others'"),
    running: integer(1, 1_000_000).optional().describe("tasks of it that run at once; default any"),
    rate: number(0.001, 100_000).optional().describe("tasks of it that may begin in a second; default any"),
    burst: integer(1, 1_000_000)
      .optional()
      .describe("how many of them at once after a pause; default the rate"),
  })
  .transform(
    ({ weight, running = Number.POSITIVE_INFINITY, rate = Number.POSITIVE_INFINITY, burst }): TenantRule => ({
      weight,
      runningMax: running,
      startsPerSecond: rate,
      startsBurst: burst ?? Math.max(1, rate),
    }),
  );

/** `tasks`. */
export const tasksSchema: z.ZodType<TasksConfig> = z
  .strictObject({
    bind: bind().prefault(TASKS_BIND).describe("where clients and agents connect"),
    token: secret().optional().describe("asked for as `Authorization: Bearer TOKEN`; needed beyond loopback"),
    store: text("text", {
      what: "a store",
      example: "sqlite:evener.db",
      pattern: /^(?:sqlite:.+|memory:|postgres(?:ql)?:\/\/\S+)$/,
    })
      .prefault("sqlite:evener.db")
      .describe(
        "where tasks are kept: a file, `postgres://USER@HOST/DATABASE`, or `memory:`, which forgets them",
      ),
    lease: duration(2_000, 600_000)
      .prefault("10s")
      .describe("an agent that is silent for so long is not believed in"),
    queue: z
      .strictObject({
        max: integer(1, 10_000_000).prefault(1_000_000).describe("tasks that have not ended; more get 429"),
        age: duration(1_000, 31_536_000_000)
          .optional()
          .describe("the same while the oldest one has waited for longer"),
      })
      .prefault({})
      .describe("when clients are asked to send less"),
    payload_max: size(0, 16_777_216).prefault("1MiB").describe("of one task; beyond it 413"),
    result_max: size(1024, 16_777_216)
      .prefault("1MiB")
      .describe("of one task; of a command's output the middle is left out"),
    keep: z
      .strictObject({
        max: integer(0, 100_000_000).prefault(1_000_000).describe("tasks that have ended"),
        age: duration(0, 31_536_000_000).prefault("7d").describe("how long"),
      })
      .prefault({})
      .describe("what has ended and is remembered"),
    tenants: named("tenant", /^[\w.*-]{1,256}$/, tenantSchema)
      .prefault({})
      .describe("shares and limits by tenant; `*` is everybody who is not named"),
  })
  .transform(({ bind: { host, port }, token = null, queue, keep, ...rest }, context): TasksConfig => {
    checkToken(host, token, context);
    return {
      host,
      port,
      token,
      store: rest.store,
      leaseTtlMs: rest.lease,
      openTasksMax: queue.max,
      queueAgeMaxMs: queue.age ?? Number.POSITIVE_INFINITY,
      payloadBytesMax: rest.payload_max,
      resultBytesMax: rest.result_max,
      endedTasksMax: keep.max,
      endedAgeMaxMs: keep.age,
      tenants: rest.tenants,
    };
  });
