import { z } from "zod";
import type { TaskRecord, TaskSpec, TaskWork } from "../core/tasks/task.ts";
import { EvenerError } from "../errors.ts";

const name = z.string().min(1).max(256);
const seconds = z
  .number()
  .min(0)
  .max(366 * 86_400);
const amounts = z.record(z.string().min(1).max(64), z.number().min(0).max(Number.MAX_SAFE_INTEGER));

/** A task as a client asks for it. Unknown keys are errors: a misspelt limit would be no limit. */
const envelope = z.strictObject({
  command: z
    .array(z.string().max(128 * 1024))
    .min(1)
    .max(4_096)
    .optional()
    .describe("program and arguments; no shell"),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(128 * 1024))
    .optional()
    .describe("for the command, beside PATH, HOME and EVENER_..."),
  loop: name.optional().describe("a warm loop on the agent, such as python; the payload is for it"),
  noop: z.literal(true).optional().describe("ends at once, on the agent"),
  payload: z
    .base64()
    .optional()
    .describe("bytes for the loop, or the command's standard input; never looked into"),
  name: name.optional().describe("for people; default: the command's program, the loop, or noop"),
  key: name.optional().describe("how long tasks take is learned by this; default: the name"),
  external_id: name.optional().describe("the client's own name for it; may be searched for"),
  idempotency_key: name.optional().describe("the same key within 24 h is the same task"),
  idempotent: z.boolean().default(false).describe("may be run again after its worker was lost"),
  tenant: name.default("default").describe("whose share it is"),
  priority: z.int().min(0).max(9).default(5).describe("9 goes first; those that wait rise with time"),
  resources: amounts
    .default({})
    .describe("cpu in cores, mem and gpu_mem in bytes, gpu, and whatever agents name"),
  labels: z.record(name, z.string().max(256)).default({}).describe("only workers with all of these"),
  affinity: z
    .array(name)
    .max(16)
    .default([])
    .describe("workers that ran something with one of these keys are liked better"),
  delay_s: seconds.default(0).describe("not before so many seconds from now"),
  not_before: z.iso.datetime({ offset: true }).optional().describe("not before this time"),
  deadline_s: seconds.optional().describe("ends as expired when it has not begun by then"),
  run_time_max_s: seconds.optional().describe("an attempt that runs for longer is ended, and has failed"),
  retry: z
    .strictObject({
      max: z
        .int()
        .min(0)
        .max(1_000)
        .default(0)
        .describe("attempts after the first one, where the task itself fails"),
      backoff_s: seconds.default(1).describe("the n-th waits up to backoff_s x 2^n, at random"),
      backoff_max_s: seconds.default(60),
    })
    .prefault({}),
  depends_on: z.array(name).max(1_000).default([]).describe("ids of tasks that must have ended well before"),
  on_parent_failure: z.enum(["block", "skip", "run"]).default("block"),
  lost_after_s: seconds
    .default(300)
    .describe("how long one that must not run twice waits for a silent agent"),
  speculate_after: z
    .number()
    .min(1)
    .max(1_000)
    .optional()
    .describe("a copy is started when it has run for its key's 95th percentile times this"),
});

/** A task as it was asked for. */
type Envelope = z.output<typeof envelope>;

/** JSON Schema of a task, as clients write it. */
export function envelopeSchema(): object {
  return z.toJSONSchema(envelope, { io: "input" });
}

/** What is to be written down, and the payload beside it. */
export interface NewTask {
  readonly record: TaskRecord;
  readonly payload: Uint8Array | null;
}

/** Reads one task; `where` names it in errors. Throws EVENER_BAD_VALUE. */
export function readTask(value: unknown, id: string, wallMs: number, where: string): NewTask {
  const { success, data, error } = envelope.safeParse(value);
  if (!success) throw new EvenerError("EVENER_BAD_VALUE", `${where}: ${describe(error)}`);
  const work = workOf(data, where);
  if (data.speculate_after !== undefined && !data.idempotent) {
    throw new EvenerError(
      "EVENER_BAD_VALUE",
      `${where}: speculate_after needs "idempotent": true: a copy runs beside it`,
    );
  }
  const payload = data.payload === undefined ? null : Buffer.from(data.payload, "base64");
  return { record: recordOf(specOf(data, work, wallMs), id, wallMs), payload };
}

function workOf({ command, env, loop, noop }: Envelope, where: string): TaskWork {
  const kinds = [command, loop, noop].filter((kind) => kind !== undefined).length;
  if (kinds !== 1) {
    throw new EvenerError(
      "EVENER_BAD_VALUE",
      `${where}: it has ${kinds} of command, loop and noop; write exactly one`,
    );
  }
  if (command !== undefined) return { kind: "command", argv: command, env: env ?? {} };
  if (env !== undefined) throw new EvenerError("EVENER_BAD_VALUE", `${where}: env is for a command`);
  return loop === undefined ? { kind: "noop" } : { kind: "loop", loop };
}

function specOf(it: Envelope, work: TaskWork, wallMs: number): TaskSpec {
  const shown =
    it.name ??
    (work.kind === "command" ? programName(work.argv[0]!) : work.kind === "loop" ? work.loop : "noop");
  const notBeforeMs = it.not_before === undefined ? 0 : Date.parse(it.not_before);
  return {
    work,
    name: shown,
    key: it.key ?? shown,
    externalId: it.external_id ?? null,
    idempotencyKey: it.idempotency_key ?? null,
    isIdempotent: it.idempotent,
    tenant: it.tenant,
    priority: it.priority,
    resources: it.resources,
    labels: it.labels,
    affinity: it.affinity,
    notBeforeMs: Math.max(notBeforeMs, it.delay_s > 0 ? wallMs + it.delay_s * 1000 : 0),
    deadlineMs: it.deadline_s === undefined ? null : wallMs + it.deadline_s * 1000,
    runTimeMaxS: it.run_time_max_s ?? null,
    retry: { max: it.retry.max, backoffS: it.retry.backoff_s, backoffMaxS: it.retry.backoff_max_s },
    dependsOn: [...new Set(it.depends_on)],
    onParentFailure: it.on_parent_failure,
    lostAfterS: it.lost_after_s,
    speculateAfter: it.speculate_after ?? null,
  };
}

function recordOf(spec: TaskSpec, id: string, wallMs: number): TaskRecord {
  const isDelayed = spec.notBeforeMs > wallMs;
  return {
    id,
    spec,
    state: spec.dependsOn.length > 0 ? "blocked" : isDelayed ? "delayed" : "queued",
    attempt: 0,
    fence: 0,
    crashes: 0,
    worker: null,
    boot: null,
    owner: null,
    submittedAtMs: wallMs,
    readyAtMs: isDelayed ? spec.notBeforeMs : wallMs,
    startedAtMs: null,
    endedAtMs: null,
    isCancelAsked: false,
    exitCode: null,
    reason: null,
  };
}

function programName(path: string): string {
  return (path.slice(path.lastIndexOf("/") + 1) || path).slice(0, 256) || "command";
}

function describe(error: z.ZodError): string {
  const first = error.issues[0]!;
  const path = first.path.map(String).join(".");
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : "";
  return `${path === "" ? "" : `${path}: `}${first.message}${more}`;
}
