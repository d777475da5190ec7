import { Heap } from "./heap.ts";

/** Something that knows its place in an {@link IndexedHeap}; -1: it is in none. */
export interface HeapMember {
  heapIndex: number;
}

/**
 * A binary heap whose members can leave from anywhere, and whose first ones can be looked at in order without
 * taking them out: the next one is always a child of one that was seen. Add and remove are O(log n). Source:
 * Williams, "Algorithm 232: Heapsort", 1964.
 */
export class IndexedHeap<T extends HeapMember> {
  readonly #items: T[] = [];
  readonly #isLess: (a: T, b: T) => boolean;

  /** `isLess` is a strict order that does not change while an item is inside. */
  constructor(isLess: (a: T, b: T) => boolean) {
    this.#isLess = isLess;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The least one, which stays; undefined where there is none. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** It must be in no heap. */
  add(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  /** It must be in this one. */
  remove(item: T): void {
    const at = item.heapIndex;
    const last = this.#items.pop()!;
    item.heapIndex = -1;
    if (last === item) return;
    this.#up(last, at);
    this.#down(last, last.heapIndex);
  }

  /** Looks at all in order, as far as it is asked; the heap must not change meanwhile. O(log k) each. */
  walk(): HeapWalk<T> {
    return new HeapWalk(this.#items, this.#isLess);
  }

  #up(item: T, from: number): void {
    const items = this.#items;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isLess(item, items[parent]!)) break;
      items[at] = items[parent]!;
      items[at]!.heapIndex = at;
      at = parent;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  #down(item: T, from: number): void {
    const items = this.#items;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isLess(items[child + 1]!, items[child]!)) child++;
      if (!this.#isLess(items[child]!, item)) break;
      items[at] = items[child]!;
      items[at]!.heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}

/** Where a look at the members of a heap is. */
export class HeapWalk<T> {
  readonly #items: readonly T[];
  /** Places whose parents were seen, and who were not seen themselves; the least is the next. */
  readonly #edge: Heap<number>;

  constructor(items: readonly T[], isLess: (a: T, b: T) => boolean) {
    this.#items = items;
    this.#edge = new Heap((a, b) => isLess(items[a]!, items[b]!));
    if (items.length > 0) this.#edge.push(0);
  }

  /** The next one, which stays the next; undefined behind the last. */
  peek(): T | undefined {
    const place = this.#edge.peek();
    return place === undefined ? undefined : this.#items[place];
  }

  /** Goes on behind the one that was seen. */
  skip(): void {
    const seen = this.#edge.pop();
    if (seen === undefined) return;
    const left = 2 * seen + 1;
    if (left < this.#items.length) this.#edge.push(left);
    if (left + 1 < this.#items.length) this.#edge.push(left + 1);
  }
}
