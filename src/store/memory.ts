import { isEnd, type TaskEvent, type TaskRecord } from "../core/tasks/task.ts";
import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { EvenerError } from "../errors.ts";
import type { Retention, StoredEvent, TaskQuery, TaskStore } from "./store.ts";

/**
 * Keeps nothing beyond the process: for tests, simulations, and whoever says so. The conditions are the
 * others'.
 */
export class MemoryStore implements TaskStore {
  readonly name: string = "memory";
  readonly #tasks: Map<string, TaskRecord> = new Map();
  readonly #payloads: Map<string, Uint8Array> = new Map();
  readonly #results: Map<string, Uint8Array> = new Map();
  readonly #keys: Map<string, { readonly id: string; readonly untilMs: number }> = new Map();
  readonly #memories: Map<string, Uint8Array> = new Map();
  #events: StoredEvent[] = [];
  #cursor = 0;
  #isClosed = false;

  async commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    this.#mustBeOpen();
    return Promise.resolve(writes.map((write) => this.#apply(write)));
  }

  async unfinished(afterId: string | null, recordsMax: number): Promise<readonly TaskRecord[]> {
    const all = [...this.#tasks.values()].filter(({ id, state }) => !isEnd(state) && id > (afterId ?? ""));
    return Promise.resolve(all.toSorted(byId).slice(0, recordsMax));
  }

  async task(id: string): Promise<TaskRecord | null> {
    return Promise.resolve(this.#tasks.get(id) ?? null);
  }

  async find(query: TaskQuery): Promise<readonly TaskRecord[]> {
    const { externalId, state, tenant, beforeId, recordsMax } = query;
    const found = [...this.#tasks.values()].filter(
      (record) =>
        (externalId === undefined || record.spec.externalId === externalId) &&
        (state === undefined || record.state === state) &&
        (tenant === undefined || record.spec.tenant === tenant) &&
        (beforeId === undefined || record.id < beforeId),
    );
    return Promise.resolve(found.toSorted((a, b) => byId(b, a)).slice(0, recordsMax));
  }

  async payloads(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = ids.flatMap((id) => {
      const payload = this.#payloads.get(id);
      return payload === undefined ? [] : [[id, payload] as const];
    });
    return Promise.resolve(new Map(found));
  }

  async result(id: string): Promise<Uint8Array | null> {
    return Promise.resolve(this.#results.get(id) ?? null);
  }

  async events(cursor: number, eventsMax: number, taskId?: string): Promise<readonly StoredEvent[]> {
    const found = this.#events.filter((event) => {
      return event.cursor > cursor && (taskId === undefined || event.taskId === taskId);
    });
    return Promise.resolve(found.slice(0, eventsMax));
  }

  async lastCursor(): Promise<number> {
    return Promise.resolve(this.#cursor);
  }

  async memory(name: string): Promise<Uint8Array | null> {
    return Promise.resolve(this.#memories.get(name) ?? null);
  }

  async prune({ endedTasksMax, endedAgeMaxMs, nowMs }: Retention): Promise<number> {
    const ended = [...this.#tasks.values()].filter(({ state }) => isEnd(state));
    const oldestFirst = ended.toSorted((a, b) => (a.endedAtMs ?? 0) - (b.endedAtMs ?? 0) || byId(a, b));
    const surplus = oldestFirst.length - endedTasksMax;
    const gone = oldestFirst.filter(
      ({ endedAtMs }, i) => i < surplus || nowMs - (endedAtMs ?? 0) > endedAgeMaxMs,
    );
    const ids = new Set(gone.map(({ id }) => id));
    for (const id of ids) {
      this.#tasks.delete(id);
      this.#payloads.delete(id);
      this.#results.delete(id);
    }
    this.#events = this.#events.filter(({ taskId }) => !ids.has(taskId));
    return Promise.resolve(ids.size);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #apply(write: Write): WriteOutcome {
    switch (write.do) {
      case "submit":
        return this.#submit(write);
      case "change":
        return this.#change(write);
      case "note":
        if (!this.#tasks.has(write.id)) return { kind: "stale", record: null };
        return this.#note(write.id, write.event, write.evidence ?? null);
      case "remember":
        this.#memories.set(write.name, write.bytes);
        return { kind: "done", cursor: 0 };
    }
  }

  #submit({ task, payload, event, keyKeptMs }: Extract<Write, { do: "submit" }>): WriteOutcome {
    const { idempotencyKey: key, tenant } = task.spec;
    const name = key === null ? null : `${tenant}\n${key}`;
    const taken = name === null ? undefined : this.#keys.get(name);
    if (taken !== undefined && taken.untilMs > task.submittedAtMs) return { kind: "duplicate", id: taken.id };
    if (this.#tasks.has(task.id)) return { kind: "duplicate", id: task.id };
    if (name !== null) this.#keys.set(name, { id: task.id, untilMs: task.submittedAtMs + keyKeptMs });
    this.#tasks.set(task.id, task);
    if (payload !== null) this.#payloads.set(task.id, payload);
    return this.#note(task.id, event);
  }

  #change(write: Extract<Write, { do: "change" }>): WriteOutcome {
    const record = this.#tasks.get(write.id);
    if (record === undefined) return { kind: "stale", record: null };
    const isAsExpected =
      write.ifState.includes(record.state) && (write.ifFence === null || write.ifFence === record.fence);
    if (!isAsExpected) return { kind: "stale", record };
    this.#tasks.set(write.id, { ...record, ...write.change });
    if (write.result === null) this.#results.delete(write.id);
    else if (write.result !== undefined) this.#results.set(write.id, write.result);
    return this.#note(write.id, write.event);
  }

  #note(taskId: string, event: TaskEvent, evidence: Uint8Array | null = null): WriteOutcome {
    this.#cursor++;
    this.#events.push({ ...event, cursor: this.#cursor, taskId, evidence });
    return { kind: "done", cursor: this.#cursor };
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new EvenerError("EVENER_STORE_FAILED", "the store of tasks is closed");
  }
}

function byId(a: TaskRecord, b: TaskRecord): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
