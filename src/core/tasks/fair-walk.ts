import type { HeapWalk } from "../kit/indexed-heap.ts";
import type { Waiting } from "./engine-link.ts";
import { type Flow, type Group, isLonger, type Item, type Line } from "./fair-flow.ts";

/** A look at what waits in one flow, in its order; nothing leaves. */
export class FlowWalk {
  readonly flow: Flow;
  tag: number;
  /** Groups that were not opened yet; null before the first look: most flows are never looked at. */
  #closed: HeapWalk<Group> | null = null;
  readonly #open: GroupWalk[] = [];
  /** The one whose turn it is by age alone; null: all go by length. */
  readonly #byAge: Item | null;
  #isByAgeSeen: boolean;
  readonly #due: Item | null;

  /** `due`: was looked at already. */
  constructor(flow: Flow, byAge: Item | null, due: Item | null) {
    this.flow = flow;
    this.#due = due;
    this.#isByAgeSeen = byAge === due;
    this.tag = flow.tag;
    this.#byAge = byAge;
  }

  /** Of the same rank: those that have risen to it by their age first, then whoever has had least. */
  goesBefore(other: FlowWalk): boolean {
    if (this.flow.priority !== other.flow.priority) return this.flow.priority < other.flow.priority;
    return this.tag < other.tag;
  }

  /** The next one; null: there is none. `full`: shapes that there is no room for. */
  next(full: ReadonlySet<string>): Item | null {
    if (this.#byAge !== null && !this.#isByAgeSeen) {
      this.#isByAgeSeen = true;
      if (!this.#byAge.isGone && !full.has(this.#byAge.line!.group.shape)) return this.#byAge;
    }
    for (;;) {
      const group = this.#longest(full);
      if (group === null) return null;
      const item = group.take();
      if (!item.isGone && item !== this.#byAge && item !== this.#due) return item;
    }
  }

  #longest(full: ReadonlySet<string>): GroupWalk | null {
    let best: GroupWalk | null = null;
    for (let i = this.#open.length - 1; i >= 0; i--) {
      const group = this.#open[i]!;
      const line = group.line;
      if (line === null || full.has(group.shape)) this.#open.splice(i, 1);
      else if (best === null || isLonger(line, best.line!)) best = group;
    }
    this.#closed ??= this.flow.groups.walk();
    for (let closed = this.#closed.peek(); closed !== undefined; closed = this.#closed.peek()) {
      if (best !== null && !isLonger(closed.lines.peek()!, best.line!)) break;
      this.#closed.skip();
      if (full.has(closed.shape)) continue;
      best = new GroupWalk(closed);
      this.#open.push(best);
    }
    return best;
  }
}

/** A look at one group: line by line. */
class GroupWalk {
  readonly shape: string;
  /** The line of the next one; null behind the last. */
  line: Line | null;
  readonly #lines: HeapWalk<Line>;
  #next: Item | null;

  constructor(group: Group) {
    this.shape = group.shape;
    this.#lines = group.lines.walk();
    this.line = this.#lines.peek() ?? null;
    this.#next = this.line?.head ?? null;
  }

  take(): Item {
    const item = this.#next!;
    this.#next = item.behind;
    if (this.#next === null) {
      this.#lines.skip();
      this.line = this.#lines.peek() ?? null;
      this.#next = this.line?.head ?? null;
    }
    return item;
  }
}

/**
 * What became of a task that was looked at. `begun`: it is on its way. `waits`: for a better place. `full`:
 * there is no room now for what it asks for. `nowhere`: nobody can run it. `enough`: the look is over.
 */
export type Looked = "begun" | "waits" | "full" | "nowhere" | "enough";
/** Is shown a task, and says what became of it. */
export type Look = (task: Waiting, seconds: number) => Looked;

/** What one look at the queue has come to. */
export interface WalkState {
  readonly nowMs: number;
  readonly cost: (task: Waiting, seconds: number) => number;
  readonly look: Look;
  /** Tasks that each tenant may still begin. */
  readonly places: Map<string, number>;
  /** Shapes that there is no room for. */
  readonly full: Set<string>;
  /** Was looked at before all others. */
  due: Item | null;
  looks: number;
  /** Those that have begun something above their own priority. */
  readonly fallen: FlowWalk[];
}
