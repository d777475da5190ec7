import { readFileSync } from "node:fs";
import { EvenerError } from "../errors.ts";

/** How a running Evener's task listener is reached. */
export interface TasksAccess {
  readonly server: string;
  readonly tokenFile?: string;
  readonly json: boolean;
}

/** What `tasks submit` says of a task, beside its command. */
export interface SubmitOptions extends TasksAccess {
  readonly name?: string;
  readonly tenant?: string;
  readonly priority?: string;
  readonly retries?: string;
  readonly idempotent: boolean;
  readonly key?: string;
  readonly resources?: string;
  readonly stdin?: string;
  readonly wait: boolean;
}

/**
 * `evener tasks submit -- COMMAND ...`: prints the id, or with --wait the output; its exit code is the
 * command's.
 */
export async function submitTask(command: readonly string[], options: SubmitOptions): Promise<void> {
  const { name, tenant, priority, retries, idempotent, key, resources, stdin, wait, json } = options;
  const task = {
    command,
    idempotent,
    ...(name !== undefined && { name }),
    ...(tenant !== undefined && { tenant }),
    ...(priority !== undefined && { priority: wholeNumber("--priority", priority) }),
    ...(retries !== undefined && { retry: { max: wholeNumber("--retries", retries) } }),
    ...(key !== undefined && { idempotency_key: key }),
    ...(resources !== undefined && { resources: amounts(resources) }),
    ...(stdin !== undefined && { payload: readFileSync(stdin).toString("base64") }),
  };
  const accepted = (await ask(options, "POST", "/v1/tasks", task)) as { readonly id: string };
  if (!wait) return print(json ? JSON.stringify(accepted) : accepted.id);
  const view = await untilEnded(options, accepted.id);
  const output = await fetchResult(options, accepted.id);
  if (json) print(JSON.stringify(view));
  else process.stdout.write(output);
  if (view.state !== "succeeded") process.exitCode = view.exit_code ?? 1;
  if (view.state !== "succeeded" && !json)
    process.stderr.write(`evener: task ${view.id} is ${view.state}: ${view.reason}\n`);
}

/** `evener tasks ls`: the newest first. */
export async function listTasks(
  options: TasksAccess & { readonly state?: string; readonly max: string },
): Promise<void> {
  const query = new URLSearchParams({
    max: options.max,
    ...(options.state !== undefined && { state: options.state }),
  });
  const found = (await ask(options, "GET", `/v1/tasks?${query.toString()}`)) as {
    readonly tasks: readonly TaskView[];
  };
  if (options.json) return print(JSON.stringify(found));
  const rows = found.tasks.map(({ id, state, name, worker, attempt, submitted_at: at, reason }) => {
    return [id, state, name, worker ?? "-", String(attempt), at.slice(0, 19), reason ?? ""];
  });
  print(table([["id", "state", "name", "worker", "attempt", "submitted", ""], ...rows]));
}

/** `evener tasks show ID`: the task, its history, and what stands in its way. */
export async function showTask(id: string, options: TasksAccess): Promise<void> {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const task = await ask(options, "GET", path);
  const why = await ask(options, "GET", `${path}/why`);
  const { events } = (await ask(options, "GET", `/v1/events?task=${encodeURIComponent(id)}`)) as {
    readonly events: readonly EventView[];
  };
  if (options.json) return print(JSON.stringify({ task, why, events }));
  const fields = Object.entries(task as object).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const history = events.map(({ at, kind, worker, detail }) => [at, kind, worker ?? "", detail ?? ""]);
  print(`${table(fields)}\n\n${table(history)}\n\n${(why as { readonly reason: string }).reason}`);
}

/** `evener tasks cancel ID...` */
export async function cancelTasks(ids: readonly string[], options: TasksAccess): Promise<void> {
  for (const id of ids) {
    const view = (await ask(options, "DELETE", `/v1/tasks/${encodeURIComponent(id)}`)) as TaskView;
    print(
      options.json
        ? JSON.stringify(view)
        : `${id} ${view.state === "cancelled" ? "cancelled" : "is being cancelled"}`,
    );
  }
}

/** `evener tasks redrive ID... | --all STATE` */
export async function redriveTasks(
  ids: readonly string[],
  options: TasksAccess & { readonly all?: string },
): Promise<void> {
  if ((ids.length === 0) === (options.all === undefined)) {
    throw new EvenerError("EVENER_USAGE", "say which: ids, or --all quarantined (or failed, ...)");
  }
  if (options.all !== undefined) {
    const done = await ask(options, "POST", `/v1/redrive?state=${encodeURIComponent(options.all)}`, {});
    return print(
      options.json ? JSON.stringify(done) : `${(done as { redriven: number }).redriven} begin anew`,
    );
  }
  for (const id of ids) {
    const view = (await ask(options, "POST", `/v1/tasks/${encodeURIComponent(id)}/redrive`, {})) as TaskView;
    print(options.json ? JSON.stringify(view) : `${id} ${view.state}`);
  }
}

interface TaskView {
  readonly id: string;
  readonly state: string;
  readonly name: string;
  readonly worker: string | null;
  readonly attempt: number;
  readonly submitted_at: string;
  readonly reason: string | null;
  readonly exit_code: number | null;
}

interface EventView {
  readonly at: string;
  readonly kind: string;
  readonly worker: string | null;
  readonly detail: string | null;
}

async function untilEnded(access: TasksAccess, id: string): Promise<TaskView> {
  for (;;) {
    const response = await send(access, "GET", `/v1/tasks/${id}/result?wait_s=30`);
    await response.arrayBuffer();
    if (response.status !== 202) return (await ask(access, "GET", `/v1/tasks/${id}`)) as TaskView;
  }
}

async function fetchResult(access: TasksAccess, id: string): Promise<Buffer> {
  return Buffer.from(await (await send(access, "GET", `/v1/tasks/${id}/result`)).arrayBuffer());
}

/** The JSON of an answer. Throws EVENER_ADMIN_UNREACHABLE, or what the listener says is wrong. */
async function ask(access: TasksAccess, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await send(access, method, path, body);
  const value = (await response.json()) as {
    readonly error?: { readonly code: string; readonly message: string };
  };
  if (response.ok) return value;
  throw new EvenerError(
    "EVENER_USAGE",
    value.error === undefined ? `status ${response.status}` : `${value.error.message} (${value.error.code})`,
  );
}

async function send(
  { server, tokenFile }: TasksAccess,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const token = tokenFile === undefined ? process.env.EVENER_TOKEN : readFileSync(tokenFile, "utf8").trim();
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { "content-type": "application/json" }),
  };
  try {
    return await fetch(new URL(path, server), {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const text = `${server}: nobody answers; start Evener with a "tasks" block, or say --server`;
    throw new EvenerError("EVENER_ADMIN_UNREACHABLE", text, { cause: error });
  }
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new EvenerError("EVENER_USAGE", `${option} is ${JSON.stringify(text)}; write a whole number`);
}

function amounts(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [name = "", amount = ""] = part.split("=");
      if (name !== "" && /^\d+(?:\.\d+)?$/.test(amount)) return [name, Number(amount)];
      throw new EvenerError(
        "EVENER_USAGE",
        `--resources has ${JSON.stringify(part)}; write name=number, such as gpu=1`,
      );
    }),
  );
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
