import { STATE } from "./endpoint-state.ts";
import { LedgerColumns } from "./ledger-columns.ts";
import {
  type LedgerOptions,
  type LedgerStorage,
  type LedgerView,
  newStorage,
  newTotals,
  type ThreadColumns,
} from "./ledger-storage.ts";

/**
 * The books: columns of numbers, one row (slot) per endpoint, in typed arrays over one buffer, so that data
 * threads can share them. What is in flight is our own accounting, never polled, and therefore exact.
 *
 * What is counted (in flight, pending, picks) has a column for each thread, which it alone writes; the totals
 * are sums. So a thread can die at any point, and nothing is wrong once its columns are cleared. All other
 * columns are written by the one thread that keeps the pools' health.
 *
 * A slot has a generation: a lease that settles after its slot went to another endpoint is dropped and
 * counted, never booked on the wrong endpoint.
 */
export class Ledger extends LedgerColumns {
  /** Requests in flight now, all threads together: as of the last {@link refresh} where there are several. */
  readonly inFlight: Int32Array;
  /** Units of work in flight now; saturates at 2^31 - 1. As of the last {@link refresh}, too. */
  readonly pendingUnits: Int32Array;
  /** Picks since the slot was claimed; as of the last {@link refresh}. */
  readonly picks: Float64Array;
  /** Of those in flight, the ones whose answer has begun; as of the last {@link refreshHeld}. */
  readonly running: Int32Array;
  /** Tokens of context that they hold; as of the last {@link refreshHeld}. */
  readonly heldUnits: Float64Array;
  /** Counted by this thread, and written by no other. */
  readonly own: ThreadColumns;
  #lateSettles = 0;
  #free: number[] = [];
  /** Slots whose endpoint is gone: a thread may not know it yet; its last requests run (oldest first). */
  #leaving: number[] = [];
  #retiring: number[] = [];

  /**
   * `slotsMax`: endpoints of all pools together, 1..65536. `shared`: over a SharedArrayBuffer. `threads`: how
   * many may book, 1..64.
   */
  constructor({ slotsMax = 4096, shared = false, threads = 1 }: LedgerOptions = {}, view?: LedgerView) {
    super(view?.storage ?? newStorage(slotsMax, shared, threads));
    this.own = this.threads[view?.thread ?? 0]!;
    const totals = this.isShared ? newTotals(this.slotsMax) : this.own;
    this.inFlight = totals.inFlight;
    this.pendingUnits = totals.pendingUnits;
    this.picks = totals.picks;
    this.running = totals.running;
    this.heldUnits = totals.heldUnits;
    if (view !== undefined) return;
    for (let slot = this.slotsMax - 1; slot >= 0; slot--) this.#free.push(slot);
  }

  /** The same books, as thread `thread` (0..threads-1) sees and keeps them. */
  static open(storage: LedgerStorage, thread: number): Ledger {
    return new Ledger({}, { storage, thread });
  }

  /** Several threads book: totals are as of the last {@link refresh}. */
  get isShared(): boolean {
    return this.storage.threads > 1;
  }

  /** Leases that settled after their slot had gone to another endpoint: dropped, counted. */
  get lateSettles(): number {
    return this.#lateSettles;
  }

  /** Brings the totals of these slots up to date. O(slots x threads); nothing to do for one thread. */
  refresh(slots: Int32Array): void {
    if (!this.isShared) return;
    for (let i = 0; i < slots.length; i++) this.#sum(slots[i]!);
  }

  /** The same for what the running ones hold, which only few policies ask for. */
  refreshHeld(slots: Int32Array, count: number): void {
    if (!this.isShared) return;
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!;
      let running = 0;
      let heldUnits = 0;
      for (const thread of this.threads) {
        running += thread.running[slot]!;
        heldUnits += thread.heldUnits[slot]!;
      }
      this.running[slot] = running;
      this.heldUnits[slot] = heldUnits;
    }
  }

  /** How many can be claimed after `leaving` others were retired. */
  roomAfter(leaving: number): number {
    this.#releaseRested();
    return this.#free.length + (this.isShared ? 0 : this.#retiring.length + leaving);
  }

  /** Gives a clean slot to a new endpoint; throws RangeError when all `slotsMax` are in use. */
  claim(): number {
    this.#releaseRested();
    // Under a lease that still runs: its own thread drops it when it settles. Not where others might book.
    const slot = this.#free.pop() ?? (this.isShared ? undefined : this.#retiring.shift());
    if (slot === undefined)
      throw new RangeError(`more than ${this.slotsMax} endpoints in all pools together`);
    this.clear(slot);
    if (this.isShared) this.#sum(slot);
    return slot;
  }

  /** Takes the slot out of service; reused when its last request has ended, or when none else is left. */
  retire(slot: number): void {
    this.#leaving.push(slot);
    // Threads that do not know yet who has come go on with who has left: better than with nobody.
    if (!this.isShared) this.allKnowWhoLeft();
  }

  /** Every thread knows by now who has left: nobody will book there any more. */
  allKnowWhoLeft(): void {
    for (const slot of this.#leaving) this.state[slot] = STATE.absent;
    this.#retiring.push(...this.#leaving.splice(0));
  }

  /** Brings a slot whose last requests run back for the same endpoint, with its counts; false if gone. */
  revive(slot: number, generation: number): boolean {
    this.#releaseRested();
    if (this.generation[slot] !== generation) return false;
    const list = this.#leaving.includes(slot) ? this.#leaving : this.#retiring;
    const at = list.indexOf(slot);
    if (at < 0) return false;
    list.splice(at, 1);
    return true;
  }

  /** Books one request of `units`. */
  book(slot: number, units: number): void {
    const own = this.own;
    own.inFlight[slot]! += 1;
    own.pendingUnits[slot] = Math.min(own.pendingUnits[slot]! + units, UNITS_MAX);
    own.picks[slot]! += 1;
    if (this.isShared) this.#sum(slot);
  }

  /** Ends one request; false, and nothing changed, when the slot belongs to another endpoint by now. */
  unbook(slot: number, generation: number, units: number): boolean {
    if (this.generation[slot] !== generation) {
      this.#lateSettles++;
      return false;
    }
    const own = this.own;
    const inFlight = own.inFlight[slot]! - 1;
    if (!this.isShared) own.inFlight[slot] = inFlight;
    // Seen by all before this thread asks who waits: whoever begins to wait later sees the free place.
    else Atomics.store(own.inFlight, slot, inFlight);
    // Saturation may have swallowed units: at rest the column is zero again whatever happened.
    own.pendingUnits[slot] = inFlight === 0 ? 0 : Math.max(0, own.pendingUnits[slot]! - units);
    if (this.isShared) this.#sum(slot);
    return true;
  }

  /** Part of a booking is done already: `units` less are pending. */
  workOff(slot: number, generation: number, units: number): void {
    if (this.generation[slot] !== generation) return;
    const own = this.own;
    own.pendingUnits[slot] = Math.max(0, own.pendingUnits[slot]! - units);
    if (this.isShared) this.#sum(slot);
  }

  /** The answer to a request of `units` has begun: they are pending no more, and `heldUnits` are held. */
  begin(slot: number, generation: number, units: number, heldUnits: number): void {
    if (this.generation[slot] !== generation) return;
    this.workOff(slot, generation, units);
    this.own.running[slot]! += 1;
    this.own.heldUnits[slot]! += heldUnits;
  }

  /** The end of what has begun with {@link begin}. */
  release(slot: number, generation: number, heldUnits: number): void {
    if (this.generation[slot] !== generation) return;
    const { own } = this;
    const running = own.running[slot]! - 1;
    own.running[slot] = running;
    // What was rounded must not stay for ever.
    own.heldUnits[slot] = running === 0 ? 0 : own.heldUnits[slot]! - heldUnits;
  }

  /** Thread `thread` is dead: what it had in flight has ended with it. Returns how many those were. */
  forgetThread(thread: number): number {
    const { inFlight, pendingUnits, running, heldUnits } = this.threads[thread]!;
    const lost = inFlight.reduce((sum, count) => sum + count, 0);
    inFlight.fill(0);
    pendingUnits.fill(0);
    running.fill(0);
    heldUnits.fill(0);
    for (let slot = 0; slot < this.slotsMax; slot++) {
      Atomics.compareExchange(this.trial, slot, thread + 1, 0);
    }
    return lost;
  }

  #sum(slot: number): void {
    let inFlight = 0;
    let pendingUnits = 0;
    let picks = 0;
    for (let i = 0; i < this.threads.length; i++) {
      const thread = this.threads[i]!;
      inFlight += thread.inFlight[slot]!;
      pendingUnits += thread.pendingUnits[slot]!;
      picks += thread.picks[slot]!;
    }
    this.inFlight[slot] = inFlight;
    this.pendingUnits[slot] = Math.min(pendingUnits, UNITS_MAX);
    this.picks[slot] = picks;
  }

  /** Slots in retirement whose last request has ended are free. */
  #releaseRested(): void {
    if (this.#retiring.length === 0) return;
    for (const slot of this.#retiring) if (this.isShared) this.#sum(slot);
    const atRest = this.#retiring.filter((slot) => this.inFlight[slot] === 0);
    this.#retiring = this.#retiring.filter((slot) => this.inFlight[slot] !== 0);
    this.#free.push(...atRest);
  }
}

const UNITS_MAX = 0x7fffffff;

export { STATE, UNLIMITED } from "./endpoint-state.ts";
