/**
 * The books: columns of numbers, one row (slot) per endpoint, in typed arrays over one buffer, so that data
 * threads can share them. What is in flight is our own accounting, never polled, and therefore exact.
 *
 * A slot has a generation: a lease that settles after its slot went to another endpoint is dropped and
 * counted, never booked on the wrong endpoint.
 */
export class Ledger {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly slotsMax: number;

  /** Which endpoint of this slot's history it is; goes up at every reuse. */
  readonly generation: Int32Array;
  /** One of {@link STATE}. */
  readonly state: Int32Array;
  /** Requests in flight now. */
  readonly inFlight: Int32Array;
  /** Units of work in flight now; saturates at 2^31 - 1. */
  readonly pendingUnits: Int32Array;
  /** Requests in flight at most, after slow start; {@link UNLIMITED} when there is no limit. */
  readonly limit: Int32Array;
  /** Effective weight: configured weight x slow start x slowdown; > 0. */
  readonly weight: Float64Array;
  /**
   * Requests that count as if they were still in flight, because they failed faster than work takes.
   * Without it the endpoint that fails at once looks the least busy (pathology P3).
   */
  readonly burden: Float64Array;
  /** Typical milliseconds to the first byte per unit: real samples only; NaN is unknown. */
  readonly latencyMs: Float64Array;
  /** Its own long-run {@link latencyMs}, learned while it was well; NaN is unknown. */
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
  /** Counters since the slot was claimed. */
  readonly picks: Float64Array;
  readonly successes: Float64Array;
  readonly failures: Float64Array;
  readonly aborts: Float64Array;

  #lateSettles = 0;
  #free: number[] = [];
  /** Slots whose endpoint is gone while its last requests still run, oldest first. */
  #retiring: number[] = [];

  /** `slotsMax`: endpoints of all pools together, 1..65536. `shared`: over a SharedArrayBuffer. */
  constructor({ slotsMax = 4096, shared = false }: { slotsMax?: number; shared?: boolean } = {}) {
    const bytes = slotsMax * (FLOAT_COLUMNS * 8 + INTEGER_COLUMNS * 4);
    this.buffer = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    this.slotsMax = slotsMax;
    let offset = 0;
    const floats = (): Float64Array => {
      const column = new Float64Array(this.buffer, offset, slotsMax);
      offset += slotsMax * 8;
      return column;
    };
    const integers = (): Int32Array => {
      const column = new Int32Array(this.buffer, offset, slotsMax);
      offset += slotsMax * 4;
      return column;
    };
    this.weight = floats();
    this.burden = floats();
    this.latencyMs = floats();
    this.pastMs = floats();
    this.peakMs = floats();
    this.costMs = floats();
    this.sampledAtMs = floats();
    this.samples = floats();
    this.cpu = floats();
    this.memory = floats();
    this.gpu = floats();
    this.reportedAtMs = floats();
    this.picks = floats();
    this.successes = floats();
    this.failures = floats();
    this.aborts = floats();
    this.generation = integers();
    this.state = integers();
    this.inFlight = integers();
    this.pendingUnits = integers();
    this.limit = integers();
    for (let slot = slotsMax - 1; slot >= 0; slot--) this.#free.push(slot);
  }

  /** Leases that settled after their slot had gone to another endpoint: dropped, counted. */
  get lateSettles(): number {
    return this.#lateSettles;
  }

  /** Gives a clean slot to a new endpoint; throws RangeError when all `slotsMax` are in use. */
  claim(): number {
    const slot = this.#free.pop() ?? this.#retiring.shift();
    if (slot === undefined)
      throw new RangeError(`more than ${this.slotsMax} endpoints in all pools together`);
    this.#clear(slot);
    return slot;
  }

  /**
   * Takes the slot out of service; it is reused only when its last request has ended, or when none else is
   * left.
   */
  retire(slot: number): void {
    this.state[slot] = STATE.absent;
    if (this.inFlight[slot] === 0) this.#free.push(slot);
    else this.#retiring.push(slot);
  }

  /**
   * Brings a slot whose last requests still run back for the same endpoint, with its counts; false if it is
   * gone.
   */
  revive(slot: number, generation: number): boolean {
    const at = this.#retiring.indexOf(slot);
    if (at < 0 || this.generation[slot] !== generation) return false;
    this.#retiring.splice(at, 1);
    return true;
  }

  /** Books one request of `units`. */
  book(slot: number, units: number): void {
    this.inFlight[slot]! += 1;
    this.pendingUnits[slot] = Math.min(this.pendingUnits[slot]! + units, 0x7fffffff);
    this.picks[slot]! += 1;
  }

  /** Ends one request; false, and nothing changed, when the slot belongs to another endpoint by now. */
  unbook(slot: number, generation: number, units: number): boolean {
    if (this.generation[slot] !== generation) {
      this.#lateSettles++;
      return false;
    }
    const inFlight = this.inFlight[slot]! - 1;
    this.inFlight[slot] = inFlight;
    // Saturation may have swallowed units: at rest the column is zero again whatever happened.
    this.pendingUnits[slot] = inFlight === 0 ? 0 : Math.max(0, this.pendingUnits[slot]! - units);
    if (inFlight === 0 && this.state[slot] === STATE.absent) this.#release(slot);
    return true;
  }

  /** Part of a booking is done already: `units` less are pending. */
  workOff(slot: number, generation: number, units: number): void {
    if (this.generation[slot] !== generation) return;
    this.pendingUnits[slot] = Math.max(0, this.pendingUnits[slot]! - units);
  }

  #release(slot: number): void {
    const at = this.#retiring.indexOf(slot);
    if (at < 0) return;
    this.#retiring.splice(at, 1);
    this.#free.push(slot);
  }

  #clear(slot: number): void {
    this.generation[slot]! += 1;
    this.state[slot] = STATE.absent;
    this.inFlight[slot] = 0;
    this.pendingUnits[slot] = 0;
    this.limit[slot] = UNLIMITED;
    this.weight[slot] = 1;
    this.burden[slot] = 0;
    this.latencyMs[slot] = Number.NaN;
    this.pastMs[slot] = Number.NaN;
    this.peakMs[slot] = Number.NaN;
    this.costMs[slot] = 1;
    this.sampledAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.samples[slot] = 0;
    this.cpu[slot] = Number.NaN;
    this.memory[slot] = Number.NaN;
    this.gpu[slot] = Number.NaN;
    this.reportedAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.picks[slot] = 0;
    this.successes[slot] = 0;
    this.failures[slot] = 0;
    this.aborts[slot] = 0;
  }
}

const FLOAT_COLUMNS = 16;
const INTEGER_COLUMNS = 5;

/** No limit on requests in flight. */
export const UNLIMITED = 0x7fffffff;

/** What may be done with an endpoint, as a number in the ledger. Only the first two take work. */
export const STATE = {
  /** Nobody's slot, or its endpoint has left. */
  absent: 0,
  available: 1,
  /** Comes back from an ejection: one request at a time until real work has succeeded. */
  probation: 2,
  ejected: 3,
  /** Its probes fail. */
  down: 4,
  /** Finishes what it has, takes nothing new; told by an operator or by itself. */
  draining: 5,
} as const;
