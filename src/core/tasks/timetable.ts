import { Heap } from "../kit/heap.ts";

/** Something that is to be done at a time, unless it is called off before. */
export interface Due {
  readonly atMs: number;
  /** Null once it was called off. */
  act: ((nowMs: number) => void) | null;
}

/** What is to be done later, by the engine's clock; nothing happens by itself. */
export class Timetable {
  readonly #heap: Heap<Due> = new Heap<Due>((a, b) => a.atMs < b.atMs);
  #calledOff = 0;

  get size(): number {
    return this.#heap.size - this.#calledOff;
  }

  /** When there is something to do next; Infinity: never. */
  get nextMs(): number {
    this.#dropCalledOff();
    return this.#heap.peek()?.atMs ?? Number.POSITIVE_INFINITY;
  }

  at(atMs: number, act: (nowMs: number) => void): Due {
    const due: Due = { atMs, act };
    this.#heap.push(due);
    return due;
  }

  callOff(due: Due | null): void {
    if (due === null || due.act === null) return;
    due.act = null;
    this.#calledOff++;
  }

  /** Does what is due by now, in the order of its times. */
  run(nowMs: number): void {
    for (;;) {
      this.#dropCalledOff();
      const next = this.#heap.peek();
      if (next === undefined || next.atMs > nowMs) return;
      this.#heap.pop();
      const { act } = next;
      next.act = null;
      act!(nowMs);
    }
  }

  #dropCalledOff(): void {
    while (this.#heap.peek()?.act === null) {
      this.#heap.pop();
      this.#calledOff--;
    }
  }
}
