import { type HeapMember, IndexedHeap } from "../kit/indexed-heap.ts";

/** Something that is to be done at a time, unless it is called off before. */
export interface Due extends HeapMember {
  readonly atMs: number;
  readonly act: (nowMs: number) => void;
}

/** What is to be done later, by the engine's clock; nothing happens by itself. */
export class Timetable {
  readonly #heap: IndexedHeap<Due> = new IndexedHeap<Due>((a, b) => a.atMs < b.atMs);

  at(atMs: number, act: (nowMs: number) => void): Due {
    const due = { atMs, act, heapIndex: -1 };
    this.#heap.add(due);
    return due;
  }

  /** Does nothing where it has been done, or was called off before. */
  callOff(due: Due | null): void {
    if (due !== null && due.heapIndex >= 0) this.#heap.remove(due);
  }

  /** Does what is due by now, in the order of its times. */
  run(nowMs: number): void {
    for (let next = this.#heap.peek(); next !== undefined && next.atMs <= nowMs; next = this.#heap.peek()) {
      this.#heap.remove(next);
      next.act(nowMs);
    }
  }
}
