import { isEnd, type TaskRecord, type TaskState } from "./task.ts";
import type { Lease } from "./workers.ts";
import type { Due } from "./timetable.ts";

/** A task that has not ended, as the engine sees it. */
export class Entry {
  record: TaskRecord;
  /** Parents that have not ended well yet. */
  waitsFor = 0;
  /** Those under which its end counts: one, or two where a copy runs. */
  readonly leases: Lease[] = [];
  /** Its next time: a delay, a deadline, the end of patience. */
  due: Due | null = null;
  deadline: Due | null = null;
  /** A write is on its way: what happens meanwhile waits for it. */
  isWriting = false;
  readonly #later: (() => void)[] = [];

  constructor(record: TaskRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  /** Now, or when the write that is on its way has its outcome. */
  inTurn(act: () => void): void {
    if (this.isWriting) this.#later.push(act);
    else act();
  }

  written(): void {
    this.isWriting = false;
    while (!this.isWriting) {
      const act = this.#later.shift();
      if (act === undefined) return;
      act();
    }
  }
}

/**
 * All tasks that have not ended, who waits for whom, and how those ended that somebody may still ask about.
 */
export class TaskBook {
  readonly #entries: Map<string, Entry> = new Map();
  /** By parent: those that have not ended and name it. */
  readonly #children: Map<string, Set<Entry>> = new Map();
  /** Oldest first. */
  readonly #ended: Map<string, TaskState> = new Map();

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /**
   * `parents`: how those ended that the book may not know. Returns the entry, which knows how many it waits
   * for.
   */
  add(record: TaskRecord, parents: ReadonlyMap<string, TaskState>): Entry {
    const entry = new Entry(record);
    this.#entries.set(record.id, entry);
    for (const parent of record.spec.dependsOn) {
      const state = this.stateOf(parent) ?? parents.get(parent);
      if (state !== undefined && isEnd(state) && lets(entry.record, state)) continue;
      entry.waitsFor++;
      const children = this.#children.get(parent);
      if (children === undefined) this.#children.set(parent, new Set([entry]));
      else children.add(entry);
    }
    return entry;
  }

  /** How a task is, as far as the book knows; undefined: it ended long ago, or never was. */
  stateOf(id: string): TaskState | undefined {
    return this.#entries.get(id)?.record.state ?? this.#ended.get(id);
  }

  /** It has ended, and leaves. Returns who waited for it. */
  end(entry: Entry): readonly Entry[] {
    const { id, spec, state } = entry.record;
    this.#entries.delete(id);
    for (const parent of spec.dependsOn) this.#forgetChild(parent, entry);
    this.#ended.set(id, state);
    if (this.#ended.size > ENDED_KEPT_MAX) this.#ended.delete(this.#ended.keys().next().value!);
    return [...(this.#children.get(id) ?? [])];
  }

  /** A parent has ended so that the child need not wait for it any more. */
  release(parent: string, child: Entry): void {
    if (this.#forgetChild(parent, child)) child.waitsFor--;
  }

  #forgetChild(parent: string, child: Entry): boolean {
    const children = this.#children.get(parent);
    if (children === undefined || !children.delete(child)) return false;
    if (children.size === 0) this.#children.delete(parent);
    return true;
  }
}

/** Whether a task may run although its parent has ended like this. */
export function lets(child: TaskRecord, parent: TaskState): boolean {
  return parent === "succeeded" || child.spec.onParentFailure === "run";
}

/** How so many tasks ended is remembered, for those that name them as parents. */
const ENDED_KEPT_MAX = 100_000;
