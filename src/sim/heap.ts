/**
 * A binary heap: the least comes first; equals in an order that depends on nothing but the calls.
 * O(log n) for push and pop.
 */
export class Heap<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  /** In the heap's own order; to be read only. */
  readonly items: T[] = [];

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items } = this;
    let place = items.length;
    items.push(item);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(item, items[parent]!)) break;
      items[place] = items[parent]!;
      place = parent;
    }
    items[place] = item;
  }

  pop(): T | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.#sink(last);
    return first;
  }

  /** O(n): for what happens seldom. */
  remove(item: T): void {
    const others = this.items.filter((other) => other !== item);
    this.items.length = 0;
    for (const other of others) this.push(other);
  }

  clear(): void {
    this.items.length = 0;
  }

  #sink(item: T): void {
    const { items } = this;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isBefore(items[child + 1]!, items[child]!)) child++;
      if (!this.#isBefore(items[child]!, item)) break;
      items[place] = items[child]!;
      place = child;
    }
    items[place] = item;
  }
}
