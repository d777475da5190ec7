import { STATE, UNLIMITED } from "./endpoint-state.ts";
import {
  Columns,
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
export class Ledger {
  /** What another thread needs to open the same books. */
  readonly storage: LedgerStorage;
  readonly slotsMax: number;

  /** Which endpoint of this slot's history it is; goes up at every reuse. */
  readonly generation: Int32Array;
  /** One of {@link STATE}. */
  readonly state: Int32Array;
  /** Requests in flight at most, after slow start; {@link UNLIMITED} when there is no limit. */
  readonly limit: Int32Array;
  /** Who tries out an endpoint on probation: number of the thread + 1; 0 is nobody. */
  readonly trial: Int32Array;
  /** Requests in flight now, all threads together: as of the last {@link refresh} where there are several. */
  readonly inFlight: Int32Array;
  /** Units of work in flight now; saturates at 2^31 - 1. As of the last {@link refresh}, too. */
  readonly pendingUnits: Int32Array;
  /** Effective weight: configured weight x slow start x slowdown; > 0. */
  readonly weight: Float64Array;
  /** Configured weight, or what an operator set: sessions go by it, as a ramp must not move them. */
  readonly baseWeight: Float64Array;
  /**
   * Requests that count as if they were still in flight, because they failed faster than work takes.
   * Without it the endpoint that fails at once looks the least busy (pathology P3).
   */
  readonly burden: Float64Array;
  /** Typical milliseconds to the first byte per unit: real samples only; NaN is unknown. */
  readonly latencyMs: Float64Array;
  /** The same, steadied: what slowness is judged by (`SteadySpeed`); NaN is unknown. */
  readonly steadyMs: Float64Array;
  /** Its own long-run {@link steadyMs}, learned while it was well; NaN is unknown. */
  readonly pastMs: Float64Array;
  /** Peak-sensitive milliseconds including penalties, as of the last sample; NaN is unknown. */
  readonly peakMs: Float64Array;
  /** {@link peakMs} aged to now, the cost of `peak_ewma`; unknown is the median of the peers, never NaN. */
  readonly costMs: Float64Array;
  /** When the last sample came, in the clock's milliseconds. */
  readonly sampledAtMs: Float64Array;
  readonly samples: Float64Array;
  /** What the endpoint reported of itself, 0..1 each; NaN is unknown. */
  readonly cpu: Float64Array;
  readonly memory: Float64Array;
  readonly gpu: Float64Array;
  /** When it reported, in the clock's milliseconds. */
  readonly reportedAtMs: Float64Array;
  /** Since when it is on probation, in the clock's milliseconds. */
  readonly probationSinceMs: Float64Array;
  /** When a slow endpoint is tried again, though its share is small; Infinity where it need not be. */
  readonly exploreAtMs: Float64Array;
  /** Until when it asked to be left alone (`Retry-After`): it is chosen only when there is no other. */
  readonly restUntilMs: Float64Array;
  /** Counters since the slot was claimed; picks as of the last {@link refresh}. */
  readonly picks: Float64Array;
  readonly successes: Float64Array;
  readonly failures: Float64Array;
  readonly aborts: Float64Array;

  /** Counted by this thread, and written by no other. */
  readonly own: ThreadColumns;
  readonly #threads: readonly ThreadColumns[];
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
    this.storage = view?.storage ?? newStorage(slotsMax, shared, threads);
    this.slotsMax = this.storage.slotsMax;
    const columns = new Columns(this.storage);
    this.weight = columns.floats();
    this.baseWeight = columns.floats();
    this.burden = columns.floats();
    this.latencyMs = columns.floats();
    this.steadyMs = columns.floats();
    this.pastMs = columns.floats();
    this.peakMs = columns.floats();
    this.costMs = columns.floats();
    this.sampledAtMs = columns.floats();
    this.samples = columns.floats();
    this.cpu = columns.floats();
    this.memory = columns.floats();
    this.gpu = columns.floats();
    this.reportedAtMs = columns.floats();
    this.probationSinceMs = columns.floats();
    this.exploreAtMs = columns.floats();
    this.restUntilMs = columns.floats();
    this.successes = columns.floats();
    this.failures = columns.floats();
    this.aborts = columns.floats();
    this.generation = columns.integers();
    this.state = columns.integers();
    this.limit = columns.integers();
    this.trial = columns.integers();
    this.#threads = Array.from({ length: this.storage.threads }, () => ({
      picks: columns.floats(),
      inFlight: columns.integers(),
      pendingUnits: columns.integers(),
    }));
    this.own = this.#threads[view?.thread ?? 0]!;
    const totals = this.isShared ? newTotals(this.slotsMax) : this.own;
    this.inFlight = totals.inFlight;
    this.pendingUnits = totals.pendingUnits;
    this.picks = totals.picks;
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
    this.#clear(slot);
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

  /** Thread `thread` is dead: what it had in flight has ended with it. Returns how many those were. */
  forgetThread(thread: number): number {
    const { inFlight, pendingUnits } = this.#threads[thread]!;
    const lost = inFlight.reduce((sum, count) => sum + count, 0);
    inFlight.fill(0);
    pendingUnits.fill(0);
    for (let slot = 0; slot < this.slotsMax; slot++) {
      Atomics.compareExchange(this.trial, slot, thread + 1, 0);
    }
    return lost;
  }

  #sum(slot: number): void {
    let inFlight = 0;
    let pendingUnits = 0;
    let picks = 0;
    for (let i = 0; i < this.#threads.length; i++) {
      const thread = this.#threads[i]!;
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

  #clear(slot: number): void {
    this.generation[slot]! += 1;
    this.state[slot] = STATE.absent;
    this.limit[slot] = UNLIMITED;
    this.trial[slot] = 0;
    this.weight[slot] = 1;
    this.baseWeight[slot] = 1;
    this.costMs[slot] = 1;
    this.sampledAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.reportedAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.probationSinceMs[slot] = 0;
    this.exploreAtMs[slot] = Number.POSITIVE_INFINITY;
    this.restUntilMs[slot] = Number.NEGATIVE_INFINITY;
    const { burden, samples, successes, failures, aborts } = this;
    for (const counts of [burden, samples, successes, failures, aborts]) counts[slot] = 0;
    const { latencyMs, steadyMs, pastMs, peakMs, cpu, memory, gpu } = this;
    for (const figures of [latencyMs, steadyMs, pastMs, peakMs, cpu, memory, gpu]) figures[slot] = Number.NaN;
    // At rest, but for a slot that was taken from under its last requests, which only one thread does.
    for (const thread of this.#threads) {
      thread.picks[slot] = 0;
      thread.inFlight[slot] = 0;
      thread.pendingUnits[slot] = 0;
    }
    if (this.isShared) this.#sum(slot);
  }
}

const UNITS_MAX = 0x7fffffff;

export { STATE, UNLIMITED } from "./endpoint-state.ts";
