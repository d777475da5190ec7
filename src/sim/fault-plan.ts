import type { Fault, FaultKind } from "./faults.ts";
import { Heap } from "./heap.ts";

/** A fault begins or ends. */
export interface FaultEvent {
  readonly atS: number;
  readonly fault: Fault;
  readonly begins: boolean;
  /** Ties come in the order of the faults, ends first. */
  readonly order: number;
}

/**
 * The beginnings and ends of faults in the order of time; those that come again are made as they are needed.
 */
export class FaultPlan {
  readonly #events: Heap<FaultEvent> = new Heap(isBefore);

  constructor(faults: readonly Fault[]) {
    for (const [order, fault] of faults.entries()) {
      this.#events.push({ atS: fault.fromS, fault, begins: true, order });
      this.#pushEnd(fault, order);
    }
  }

  /** When the next one is; Infinity when there is none. */
  get nextS(): number {
    return this.#events.peek()?.atS ?? Number.POSITIVE_INFINITY;
  }

  /** The next one, which there is. */
  take(): FaultEvent {
    const event = this.#events.pop()!;
    const { fault, order } = event;
    if (event.begins && fault.everyS > 0) {
      const later = { ...fault, fromS: fault.fromS + fault.everyS, untilS: fault.untilS + fault.everyS };
      this.#events.push({ atS: later.fromS, fault: later, begins: true, order });
      this.#pushEnd(later, order);
    }
    return event;
  }

  #pushEnd(fault: Fault, order: number): void {
    if (fault.untilS === Number.POSITIVE_INFINITY) return;
    this.#events.push({ atS: fault.untilS, fault, begins: false, order });
  }
}

/** What is wrong with one engine now, all faults together. */
export class Condition {
  readonly #counts: Map<FaultKind, number> = new Map();
  readonly #speeds: number[] = [];

  /** How fast it is: 0 while it hangs. */
  get speed(): number {
    if (this.has("hang")) return 0;
    return this.#speeds.reduce((product, speed) => product * speed, 1);
  }

  has(kind: FaultKind): boolean {
    return (this.#counts.get(kind) ?? 0) > 0;
  }

  change({ kind, speed }: Fault, begins: boolean): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + (begins ? 1 : -1));
    if (kind !== "speed") return;
    if (begins) this.#speeds.push(speed);
    else this.#speeds.splice(this.#speeds.indexOf(speed), 1);
  }
}

function isBefore(a: FaultEvent, b: FaultEvent): boolean {
  if (a.atS !== b.atS) return a.atS < b.atS;
  if (a.begins !== b.begins) return b.begins;
  return a.order < b.order;
}
