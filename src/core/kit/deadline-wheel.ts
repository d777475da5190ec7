/**
 * Many deadlines for the price of a number each. A deadline that moves to later (the usual case: every byte
 * of a stream moves it) only changes its number; it is looked at when its old time comes and put where it
 * belongs then. Late by up to two ticks, never early. Source: hashed timing wheels (Varghese and Lauck,
 * 1987), made lazy.
 */
export class DeadlineWheel {
  readonly tickMs: number;
  readonly #slots: (Deadline | null)[] = Array.from({ length: SLOTS }, () => null);
  #tick = 0;
  /** Deadlines that stand in the wheel, due or not. */
  size = 0;

  constructor(tickMs: number, nowMs: number) {
    this.tickMs = tickMs;
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** `deadline` is due at `atMs`; Infinity takes it back. */
  set(deadline: Deadline, atMs: number): void {
    deadline.atMs = atMs;
    const tick = Math.floor(atMs / this.tickMs) + 1;
    if (deadline.tick !== UNLINKED) {
      if (tick >= deadline.tick) return;
      this.#unlink(deadline);
    }
    if (atMs !== Number.POSITIVE_INFINITY) this.#link(deadline, tick);
  }

  /** For good: its owner is gone. */
  remove(deadline: Deadline): void {
    deadline.atMs = Number.POSITIVE_INFINITY;
    if (deadline.tick !== UNLINKED) this.#unlink(deadline);
  }

  /** Time has come to `nowMs`: tells the owners of what is due. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / this.tickMs);
    // After a long stall one round visits every slot.
    if (target - this.#tick > SLOTS) this.#tick = target - SLOTS;
    while (this.#tick < target) {
      this.#tick++;
      this.#visit(this.#tick, nowMs);
    }
  }

  #visit(tick: number, nowMs: number): void {
    let due = this.#takeDue(tick, nowMs);
    while (due !== null) {
      const { nextDue } = due;
      due.nextDue = null;
      // An owner told before may have moved this one.
      if (due.tick === UNLINKED && due.atMs <= nowMs) {
        due.atMs = Number.POSITIVE_INFINITY;
        due.owner.onDeadline();
      }
      due = nextDue;
    }
  }

  /** Takes what is due out before anybody is told: owners may set and remove deadlines then. */
  #takeDue(tick: number, nowMs: number): Deadline | null {
    let due: Deadline | null = null;
    let deadline: Deadline | null = this.#slots[tick % SLOTS] ?? null;
    while (deadline !== null) {
      const next: Deadline | null = deadline.next;
      if (deadline.tick <= tick) {
        this.#unlink(deadline);
        if (deadline.atMs <= nowMs) {
          deadline.nextDue = due;
          due = deadline;
        } else if (deadline.atMs !== Number.POSITIVE_INFINITY) this.set(deadline, deadline.atMs);
      }
      deadline = next;
    }
    return due;
  }

  #link(deadline: Deadline, tick: number): void {
    const at = Math.max(tick, this.#tick + 1);
    deadline.tick = at;
    const head = this.#slots[at % SLOTS]!;
    deadline.previous = null;
    deadline.next = head;
    if (head !== null) head.previous = deadline;
    this.#slots[at % SLOTS] = deadline;
    this.size++;
  }

  #unlink(deadline: Deadline): void {
    const { previous, next } = deadline;
    if (previous === null) this.#slots[deadline.tick % SLOTS] = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.tick = UNLINKED;
    this.size--;
  }
}

/** One deadline of one owner; made once and moved. */
export class Deadline {
  readonly owner: DeadlineOwner;
  /** For the wheel. */
  atMs: number = Number.POSITIVE_INFINITY;
  tick = -1;
  previous: Deadline | null = null;
  next: Deadline | null = null;
  nextDue: Deadline | null = null;

  constructor(owner: DeadlineOwner) {
    this.owner = owner;
  }
}

/** Who is told when a deadline has passed. */
export interface DeadlineOwner {
  /** The deadline has passed; it is not set any more. */
  onDeadline(): void;
}

const UNLINKED = -1;
const SLOTS = 1024;
