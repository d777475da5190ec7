import { isEnd, TASK_STATES, type TaskRecord, type TaskState } from "../core/tasks/task.ts";
import { REDRIVEN } from "../core/tasks/engine.ts";
import { type ControlAnswer, errorAnswer, jsonAnswer } from "../control/answer.ts";
import type { ControlRequest } from "../control/door.ts";
import { parseJson, readNumber } from "../control/query.ts";
import { EvenerError } from "../errors.ts";
import type { StoredEvent, TaskQuery } from "../store/store.ts";
import type { TaskDispatcher } from "./dispatcher.ts";
import { type NewTask, readTask } from "./envelope.ts";
import { TaskIds } from "./task-id.ts";
import { eventView, taskView } from "./task-view.ts";
import { whyView } from "./why.ts";
import { workerView } from "./worker-view.ts";

/**
 * Everything that the endpoints do, without HTTP around it. Throws EvenerError: no such thing, or a bad
 * value.
 */
export class TaskApi {
  readonly #dispatcher: TaskDispatcher;
  readonly #ids: TaskIds = new TaskIds();

  constructor(dispatcher: TaskDispatcher) {
    this.#dispatcher = dispatcher;
  }

  /** One task or an array of them: all are accepted, or the first that is not valid is told and none is. */
  async submit({ body }: ControlRequest): Promise<ControlAnswer> {
    const refusal = this.#backpressure();
    if (refusal !== null) return refusal;
    const asked = parseJson(body);
    const isMany = Array.isArray(asked);
    const values: unknown[] = isMany ? asked : [asked];
    if (values.length === 0 || values.length > TASKS_MAX)
      throw badValue(`an array has 1 to ${TASKS_MAX} tasks, this ${values.length}`);
    const wallMs = Date.now();
    const tasks = values.map((value, i) =>
      readTask(value, this.#ids.next(wallMs), wallMs, isMany ? `task ${i}` : "the task"),
    );
    this.#checkSizes(tasks);
    const parents = await this.#parents(tasks);
    const outcomes = await this.#dispatcher.submit(tasks, parents);
    const views = await Promise.all(outcomes.map((outcome, i) => this.#accepted(outcome, tasks[i]!)));
    // A store that is full has kept nothing of them.
    const failed = views.find((view) => view === null);
    if (failed !== undefined) return storeAnswer(outcomes);
    const isNew = outcomes.some(({ kind }) => kind === "done");
    return jsonAnswer(isMany ? { tasks: views } : views[0], isNew ? 201 : 200);
  }

  async find(query: string): Promise<ControlAnswer> {
    const asked = new URLSearchParams(query);
    const recordsMax = readNumber(query, "max", FOUND_DEFAULT, 1, FOUND_MAX);
    const state = readState(asked.get("state"));
    const parts: TaskQuery = {
      recordsMax,
      ...given("externalId", asked.get("external_id")),
      ...given("tenant", asked.get("tenant")),
      ...given("beforeId", asked.get("before")),
      ...(state !== null && { state }),
    };
    const found = await this.#dispatcher.store.find(parts);
    const next = found.length === recordsMax ? found.at(-1)!.id : null;
    return jsonAnswer({ tasks: found.map(taskView), before: next });
  }

  async task(id: string): Promise<ControlAnswer> {
    return jsonAnswer(taskView(await this.record(id)));
  }

  async result(id: string, request: ControlRequest): Promise<ControlAnswer> {
    const waitMs = readNumber(request.query, "wait_s", 0, 0, WAIT_S_MAX) * 1000;
    const record = await this.#ended(id, waitMs, request.signal);
    if (!isEnd(record.state)) return jsonAnswer(taskView(record), 202);
    const bytes = (await this.#dispatcher.store.result(id)) ?? new Uint8Array(0);
    const exit = record.exitCode === null ? "" : `x-evener-exit-code: ${record.exitCode}\r\n`;
    const lines = `x-evener-task-state: ${record.state}\r\n${exit}`;
    return { status: 200, contentType: "application/octet-stream", body: bytes, lines };
  }

  async cancel(id: string): Promise<ControlAnswer> {
    await this.record(id);
    const record = (await this.#dispatcher.cancel(id)) ?? (await this.record(id));
    if (isEnd(record.state) && record.state !== "cancelled") throw notNow(record, "cancelled");
    return jsonAnswer(taskView(record), isEnd(record.state) ? 200 : 202);
  }

  async redrive(id: string): Promise<ControlAnswer> {
    const record = await this.record(id);
    if (!REDRIVEN.includes(record.state)) throw notNow(record, "redriven");
    const outcome = await this.#dispatcher.redrive(record);
    if (outcome.kind === "failed") return storeAnswer([outcome]);
    return this.task(id);
  }

  /** All of a state that can be redriven, a bounded number a call. */
  async redriveAll(query: string): Promise<ControlAnswer> {
    const state = readState(new URLSearchParams(query).get("state"));
    if (state === null || !REDRIVEN.includes(state)) throw badValue(`state is one of ${REDRIVEN.join(", ")}`);
    const found = await this.#dispatcher.store.find({ state, recordsMax: FOUND_MAX });
    const outcomes = await Promise.all(found.map((record) => this.#dispatcher.redrive(record)));
    return jsonAnswer({
      redriven: outcomes.filter(({ kind }) => kind === "done").length,
      more: found.length === FOUND_MAX,
    });
  }

  async why(id: string): Promise<ControlAnswer> {
    return jsonAnswer(whyView(this.#dispatcher, await this.record(id), performance.now()));
  }

  workers(): ControlAnswer {
    const workers = [...this.#dispatcher.engine.leases.workers()];
    return jsonAnswer({
      workers: workers.map((worker) => workerView(this.#dispatcher, worker, performance.now())),
    });
  }

  drain(name: string): ControlAnswer {
    const worker = this.#dispatcher.engine.leases.worker(name);
    if (worker === undefined) throw notFound(`there is no worker ${JSON.stringify(name)}`);
    worker.isDraining = true;
    this.#dispatcher.lineOf(worker)?.drain();
    return jsonAnswer(workerView(this.#dispatcher, worker, performance.now()));
  }

  async queue(): Promise<ControlAnswer> {
    const { open, queued, oldestMs } = this.#dispatcher.backlog;
    const cursor = await this.#dispatcher.store.lastCursor();
    return jsonAnswer({ open, queued, oldest_s: Math.round(oldestMs) / 1000, cursor });
  }

  /** Events behind a cursor; waits for the first one, if asked to. */
  async events({ query, signal }: ControlRequest): Promise<ControlAnswer> {
    const { store } = this.#dispatcher;
    const cursor = readNumber(query, "cursor", 0, 0, Number.MAX_SAFE_INTEGER);
    const max = readNumber(query, "max", EVENTS_DEFAULT, 1, EVENTS_MAX);
    const waitMs = readNumber(query, "wait_s", 0, 0, WAIT_S_MAX) * 1000;
    const task = new URLSearchParams(query).get("task") ?? undefined;
    const found = await this.#until(
      () => store.events(cursor, max, task),
      (events) => events.length > 0,
      waitMs,
      signal,
    );
    const hasResults = new URLSearchParams(query).get("results") === "1";
    const views = hasResults ? await this.#withResults(found) : found.map(eventView);
    return jsonAnswer({ events: views, cursor: found.at(-1)?.cursor ?? cursor });
  }

  /** Small results go with the events that end their tasks: one answer in the place of hundreds. */
  #withResults(events: readonly StoredEvent[]): Promise<object[]> {
    return Promise.all(
      events.map(async (event) => {
        const isEnding = event.kind === "succeeded" || event.kind === "failed";
        const result = isEnding ? await this.#dispatcher.store.result(event.taskId) : null;
        const isSmall = isEnding && (result?.length ?? 0) <= TOLD_BYTES_MAX;
        return isSmall ? { ...eventView(event), result: base64(result) } : eventView(event);
      }),
    );
  }

  async record(id: string): Promise<TaskRecord> {
    const record = this.#dispatcher.engine.book.get(id)?.record ?? (await this.#dispatcher.store.task(id));
    if (record === null)
      throw notFound(`there is no task ${JSON.stringify(id.slice(0, 64))}; ended ones are kept for a while`);
    return record;
  }

  #ended(id: string, waitMs: number, signal: AbortSignal): Promise<TaskRecord> {
    return this.#until(
      () => this.record(id),
      ({ state }) => isEnd(state),
      waitMs,
      signal,
    );
  }

  /** Asks again after each commit until it is good, or the time is over. */
  async #until<T>(
    ask: () => Promise<T>,
    isGood: (value: T) => boolean,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<T> {
    const untilMs = performance.now() + waitMs;
    for (;;) {
      const news = Promise.withResolvers<void>();
      const unwatch = this.#dispatcher.watch(news.resolve);
      const value = await ask().catch((error: unknown) => {
        unwatch();
        throw error;
      });
      const leftMs = untilMs - performance.now();
      if (isGood(value) || leftMs <= 0 || signal.aborted) {
        unwatch();
        return value;
      }
      const timer = setTimeout(news.resolve, leftMs);
      signal.addEventListener("abort", () => news.resolve(), { once: true });
      await news.promise;
      clearTimeout(timer);
      unwatch();
    }
  }

  /** Null: it was not kept. */
  async #accepted(
    outcome: Awaited<ReturnType<TaskDispatcher["submit"]>>[number],
    { record }: NewTask,
  ): Promise<object | null> {
    if (outcome.kind === "duplicate") return { ...taskView(await this.record(outcome.id)), duplicate: true };
    return outcome.kind === "done" ? { id: record.id, state: record.state, cursor: outcome.cursor } : null;
  }

  #checkSizes(tasks: readonly NewTask[]): void {
    const { payloadBytesMax } = this.#dispatcher.options;
    const large = tasks.find(({ payload }) => (payload?.length ?? 0) > payloadBytesMax);
    if (large === undefined) return;
    const found = `the payload of ${large.record.spec.name} has ${large.payload!.length} bytes`;
    const text = `${found}, tasks.payload_max is ${payloadBytesMax}`;
    throw new EvenerError(
      "EVENER_PAYLOAD_TOO_LARGE",
      `${text}; put large data elsewhere, and its place into the payload`,
    );
  }

  async #parents(tasks: readonly NewTask[]): Promise<ReadonlyMap<string, TaskState>> {
    const asked = tasks.flatMap(({ record }) => record.spec.dependsOn);
    const known = new Map<string, TaskState>();
    for (const [id, state] of await this.#dispatcher.parentsOf(asked)) {
      if (state === null)
        throw badValue(`depends_on: there is no task ${JSON.stringify(id)}; submit parents first`);
      known.set(id, state);
    }
    return known;
  }

  /** What waits longer than it should is a reason to send less, more than how many they are. */
  #backpressure(): ControlAnswer | null {
    const { open, oldestMs } = this.#dispatcher.backlog;
    const { openTasksMax, queueAgeMaxMs } = this.#dispatcher.options;
    if (open < openTasksMax && oldestMs <= queueAgeMaxMs) return null;
    const afterS = Math.min(RETRY_S_MAX, Math.max(1, Math.round(oldestMs / 2_000)));
    const age = `the oldest has waited for ${Math.round(oldestMs / 1000)} s`;
    const text = `${open} tasks have not ended, ${age}; send more later`;
    return errorAnswer("EVENER_TASK_BACKLOG", text, `retry-after: ${afterS}\r\n`);
  }
}

function storeAnswer(
  outcomes: readonly { readonly kind: string; readonly isFull?: boolean }[],
): ControlAnswer {
  const isFull = outcomes.some((outcome) => outcome.kind === "failed" && outcome.isFull === true);
  return errorAnswer(isFull ? "EVENER_STORE_FULL" : "EVENER_STORE_FAILED", undefined, "retry-after: 5\r\n");
}

function given<K extends string>(key: K, value: string | null): Partial<Record<K, string>> {
  return value === null ? {} : ({ [key]: value } as Record<K, string>);
}

function readState(text: string | null): TaskState | null {
  if (text === null) return null;
  const state = TASK_STATES.find((known) => known === text);
  if (state === undefined)
    throw badValue(`state is ${JSON.stringify(text.slice(0, 40))}; it can be ${TASK_STATES.join(", ")}`);
  return state;
}

function notNow({ id, state }: TaskRecord, what: string): EvenerError {
  return new EvenerError("EVENER_TASK_STATE", `task ${id} is ${state}: it can not be ${what}`);
}

function notFound(message: string): EvenerError {
  return new EvenerError("EVENER_NOT_FOUND", message);
}

function badValue(message: string): EvenerError {
  return new EvenerError("EVENER_BAD_VALUE", message);
}

function base64(bytes: Uint8Array | null): string {
  return bytes === null ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Results up to this size are told with their events. */
const TOLD_BYTES_MAX = 16 * 1024;
/** Tasks of one submission. */
const TASKS_MAX = 10_000;
const FOUND_DEFAULT = 100;
const FOUND_MAX = 1_000;
const EVENTS_DEFAULT = 100;
const EVENTS_MAX = 10_000;
const WAIT_S_MAX = 60;
const RETRY_S_MAX = 300;
