import { type HeapMember, IndexedHeap } from "../kit/indexed-heap.ts";
import type { Waiting } from "./engine-link.ts";

// What waits of one tenant in one priority. Tasks of one key are expected to take equally long, so they stand
// in one line, by age; lines of tasks that ask for the same (shape) stand in one group, the longest first, so
// that a shape for which there is no room is passed over at once, however many there are of it.

/** A task that waits. */
export class Item {
  readonly task: Waiting;
  readonly sequence: number;
  /** Null until it stands in one. */
  line: Line | null = null;
  /** Beside it in its line, by age. */
  before: Item | null = null;
  behind: Item | null = null;
  /** Beside it in its flow, by age. */
  older: Item | null = null;
  newer: Item | null = null;
  /** It has left, perhaps while somebody looks at the queue. */
  isGone = false;

  constructor(task: Waiting, sequence: number) {
    this.task = task;
    this.sequence = sequence;
  }
}

/** Tasks of one key and shape; by age. */
export class Line implements HeapMember {
  readonly key: string;
  readonly group: Group;
  /** How long each of them is expected to run. */
  seconds: number;
  heapIndex = -1;
  count = 0;
  head: Item | null = null;
  tail: Item | null = null;
  /** Another line of the same key. */
  nextOfKey: Line | null = null;

  constructor(key: string, group: Group, seconds: number) {
    this.key = key;
    this.group = group;
    this.seconds = seconds;
  }
}

/** The lines of one shape. */
export class Group implements HeapMember {
  readonly shape: string;
  readonly flow: Flow;
  readonly byKey: Map<string, Line> = new Map();
  readonly lines: IndexedHeap<Line> = new IndexedHeap(isLonger);
  heapIndex = -1;

  constructor(shape: string, flow: Flow) {
    this.shape = shape;
    this.flow = flow;
  }
}

/** What waits and runs of one tenant in one priority. */
export class Flow {
  readonly tenant: string;
  readonly priority: number;
  /** Virtual time at which its next task begins. */
  tag: number;
  waiting = 0;
  running = 0;
  /** Predicted seconds of all that wait. */
  seconds = 0;
  /** Tasks that have begun since the oldest was one of them. */
  turns = 0;
  /** Since when it waits for its turn. */
  passedOverSinceMs = 0;
  oldest: Item | null = null;
  readonly groups: IndexedHeap<Group> = new IndexedHeap<Group>((a, b) =>
    isLonger(a.lines.peek()!, b.lines.peek()!),
  );
  readonly #byShape: Map<string, Group> = new Map();
  #newest: Item | null = null;

  constructor(tenant: string, priority: number, tag: number) {
    this.tenant = tenant;
    this.priority = priority;
    this.tag = tag;
  }

  /** The line for such a task; a new one is empty, and stands in no order yet. */
  lineFor(key: string, shape: string, seconds: number): Line {
    const group = this.#byShape.get(shape) ?? new Group(shape, this);
    this.#byShape.set(shape, group);
    const line = group.byKey.get(key) ?? new Line(key, group, seconds);
    group.byKey.set(key, line);
    return line;
  }

  /** Behind all others of the line, which is one of this flow. */
  add(item: Item, line: Line): void {
    item.line = line;
    item.older = this.#newest;
    if (this.#newest === null) this.oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.waiting++;
    line.count++;
    this.seconds += line.seconds;
    item.before = line.tail;
    if (line.tail !== null) {
      line.tail.behind = item;
      line.tail = item;
      return;
    }
    this.#change(line, () => {
      line.head = item;
      line.tail = item;
    });
  }

  /** True: its line is empty now, and gone. */
  remove(item: Item): boolean {
    const line = item.line!;
    if (item.older === null) {
      this.oldest = item.newer;
      this.turns = 0;
    } else item.older.newer = item.newer;
    if (item.newer === null) this.#newest = item.older;
    else item.newer.older = item.older;
    this.waiting--;
    line.count--;
    this.seconds = this.waiting === 0 ? 0 : Math.max(0, this.seconds - line.seconds);
    if (item.behind === null) line.tail = item.before;
    else item.behind.before = item.before;
    if (item.before !== null) {
      item.before.behind = item.behind;
      return false;
    }
    this.#change(line, () => {
      line.head = item.behind;
    });
    if (line.head !== null) return false;
    line.group.byKey.delete(line.key);
    if (line.group.byKey.size === 0) this.#byShape.delete(line.group.shape);
    return true;
  }

  repredict(line: Line, seconds: number): void {
    this.seconds = Math.max(0, this.seconds + (seconds - line.seconds) * line.count);
    this.#change(line, () => {
      line.seconds = seconds;
    });
  }

  /** A change of a line's place in the order: it and its group are taken out and put back. */
  #change(line: Line, act: () => void): void {
    const { group } = line;
    if (group.heapIndex >= 0) this.groups.remove(group);
    if (line.heapIndex >= 0) group.lines.remove(line);
    act();
    if (line.head !== null) group.lines.add(line);
    if (group.lines.size > 0) this.groups.add(group);
  }
}

/** The longest first, then the oldest. */
export function isLonger(a: Line, b: Line): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.head!.sequence < b.head!.sequence);
}

/** The lines of each key. */
export class LinesByKey {
  readonly #first: Map<string, Line> = new Map();

  /** The others follow by their `nextOfKey`; null: there is none. */
  first(key: string): Line | null {
    return this.#first.get(key) ?? null;
  }

  add(line: Line): void {
    line.nextOfKey = this.first(line.key);
    this.#first.set(line.key, line);
  }

  remove(line: Line): void {
    const first = this.#first.get(line.key)!;
    if (first !== line) {
      let before = first;
      while (before.nextOfKey !== line) before = before.nextOfKey!;
      before.nextOfKey = line.nextOfKey;
    } else if (line.nextOfKey === null) this.#first.delete(line.key);
    else this.#first.set(line.key, line.nextOfKey);
  }
}

/** What a task asks of a worker, as one text: tasks with the same text fit into the same places. */
export function shapeOf({ loop, labels, resources }: Waiting): string {
  let shape = loop;
  for (const name of Object.keys(labels).sort()) shape += `\nlabel ${name}=${labels[name]!}`;
  for (const name of Object.keys(resources).sort()) {
    if (resources[name]! > 0) shape += `\n${name} ${resources[name]!}`;
  }
  return shape;
}
