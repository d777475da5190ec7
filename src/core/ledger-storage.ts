/** The memory of a ledger; may be posted to other threads when it is shared. */
export interface LedgerStorage {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly slotsMax: number;
  readonly threads: number;
}

/** How large the books are, and who keeps them. */
export interface LedgerOptions {
  readonly slotsMax?: number;
  readonly shared?: boolean;
  readonly threads?: number;
}

/** Who opens books that are there. */
export interface LedgerView {
  readonly storage: LedgerStorage;
  readonly thread: number;
}

/** What one thread has counted, by slot. */
export interface ThreadColumns {
  readonly picks: Float64Array;
  readonly inFlight: Int32Array;
  readonly pendingUnits: Int32Array;
  /** Of those in flight, the ones whose answer has begun; kept for prompts only. */
  readonly running: Int32Array;
  /** Units that the running ones hold: tokens of context. */
  readonly heldUnits: Float64Array;
}

/** Hands out one column after the other, always in the same order. */
export class Columns {
  readonly #storage: LedgerStorage;
  #offset = 0;

  constructor(storage: LedgerStorage) {
    this.#storage = storage;
  }

  floats(): Float64Array {
    return new Float64Array(this.#storage.buffer, this.#take(), this.#storage.slotsMax);
  }

  integers(): Int32Array {
    return new Int32Array(this.#storage.buffer, this.#take(), this.#storage.slotsMax);
  }

  /** All columns are as wide as the widest: nothing to align. */
  #take(): number {
    const offset = this.#offset;
    this.#offset += this.#storage.slotsMax * 8;
    return offset;
  }
}

/** All zero. `threads`: how many have columns of their own. */
export function newStorage(slotsMax: number, shared: boolean, threads: number): LedgerStorage {
  const bytes = slotsMax * 8 * (HEALTH_COLUMNS + THREAD_COLUMNS * threads);
  return { buffer: shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), slotsMax, threads };
}

/** Columns of no thread: sums over all. */
export function newTotals(slotsMax: number): ThreadColumns {
  return {
    picks: new Float64Array(slotsMax),
    inFlight: new Int32Array(slotsMax),
    pendingUnits: new Int32Array(slotsMax),
    running: new Int32Array(slotsMax),
    heldUnits: new Float64Array(slotsMax),
  };
}

const HEALTH_COLUMNS = 27;
const THREAD_COLUMNS = 5;
