import { VirtualClock } from "../../src/core/kit/clock.ts";

/**
 * Things that happen at a virtual time, in order of time and, at one time, in the order in which they were
 * planned: the same plan always runs the same way. A binary heap; O(log n) an event.
 */
export class EventLoop {
  readonly clock: VirtualClock = new VirtualClock();
  readonly #heap: Planned[] = [];
  #planned = 0;

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** Plans `run` for `atMs`; a time that has passed is a bug of the scenario and throws when it comes up. */
  at(atMs: number, run: () => void): void {
    const event = { atMs, order: this.#planned++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  after(ms: number, run: () => void): void {
    this.at(this.nowMs + ms, run);
  }

  /**
   * Runs what is planned up to and including `untilMs`; throws when that is more than `EVENTS_MAX` events.
   */
  run(untilMs: number = Number.POSITIVE_INFINITY): void {
    for (let events = 0; events < EVENTS_MAX; events++) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return;
      this.#takeFirst();
      this.clock.moveTo(next.atMs);
      next.run();
    }
    throw new Error(`a scenario does not come to an end after ${EVENTS_MAX} events`);
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const EVENTS_MAX = 20_000_000;

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
