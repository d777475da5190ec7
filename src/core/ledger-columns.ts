import { STATE, UNLIMITED } from "./endpoint-state.ts";
import { Columns, type LedgerStorage, type ThreadColumns } from "./ledger-storage.ts";
import type { Vitals } from "./vitals.ts";

/**
 * What is known of each endpoint, as columns of numbers over one buffer: one row (slot) per endpoint. All but
 * those of the threads are written by the one thread that keeps the pools' health.
 */
export class LedgerColumns {
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
  /** Requests that wait inside of it, as it reported; NaN is unknown. */
  readonly queued: Float64Array;
  /** When it reported, in the clock's milliseconds. */
  readonly reportedAtMs: Float64Array;
  /** Since when it is on probation, in the clock's milliseconds. */
  readonly probationSinceMs: Float64Array;
  /** When a slow endpoint is tried again, though its share is small; Infinity where it need not be. */
  readonly exploreAtMs: Float64Array;
  /**
   * Until when it is left alone, as it asked for (`Retry-After`) or has fallen silent: it is chosen only when
   * there is no other.
   */
  readonly restUntilMs: Float64Array;
  /** When an answer of it began last, in the clock's milliseconds. */
  readonly heardAtMs: Float64Array;
  /** Since when it has begun no answer, though some were due; Infinity where it has. */
  readonly silentSinceMs: Float64Array;
  /** Counters since the slot was claimed. */
  readonly successes: Float64Array;
  readonly failures: Float64Array;
  readonly aborts: Float64Array;

  /** What each thread has counted, and it alone writes. */
  protected readonly threads: readonly ThreadColumns[];

  constructor(storage: LedgerStorage) {
    this.storage = storage;
    this.slotsMax = storage.slotsMax;
    const columns = new Columns(storage);
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
    this.queued = columns.floats();
    this.reportedAtMs = columns.floats();
    this.probationSinceMs = columns.floats();
    this.exploreAtMs = columns.floats();
    this.restUntilMs = columns.floats();
    this.heardAtMs = columns.floats();
    this.silentSinceMs = columns.floats();
    this.successes = columns.floats();
    this.failures = columns.floats();
    this.aborts = columns.floats();
    this.generation = columns.integers();
    this.state = columns.integers();
    this.limit = columns.integers();
    this.trial = columns.integers();
    this.threads = Array.from({ length: storage.threads }, () => ({
      picks: columns.floats(),
      inFlight: columns.integers(),
      pendingUnits: columns.integers(),
      running: columns.integers(),
      heldUnits: columns.floats(),
    }));
  }

  /** What the slot's endpoint says of itself replaces what it said before, as a whole. */
  report(slot: number, { cpu, memory, gpu, queued }: Vitals, nowMs: number): void {
    this.cpu[slot] = cpu;
    this.memory[slot] = memory;
    this.gpu[slot] = gpu;
    this.queued[slot] = queued;
    this.reportedAtMs[slot] = nowMs;
  }

  /** The slot is as if it had never been used, but for its generation. */
  protected clear(slot: number): void {
    this.generation[slot]! += 1;
    this.state[slot] = STATE.absent;
    this.limit[slot] = UNLIMITED;
    this.trial[slot] = 0;
    this.weight[slot] = 1;
    this.baseWeight[slot] = 1;
    this.burden[slot] = 0;
    this.latencyMs[slot] = Number.NaN;
    this.steadyMs[slot] = Number.NaN;
    this.pastMs[slot] = Number.NaN;
    this.peakMs[slot] = Number.NaN;
    this.costMs[slot] = 1;
    this.sampledAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.samples[slot] = 0;
    this.cpu[slot] = Number.NaN;
    this.memory[slot] = Number.NaN;
    this.gpu[slot] = Number.NaN;
    this.queued[slot] = Number.NaN;
    this.reportedAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.probationSinceMs[slot] = 0;
    this.exploreAtMs[slot] = Number.POSITIVE_INFINITY;
    this.restUntilMs[slot] = Number.NEGATIVE_INFINITY;
    this.heardAtMs[slot] = Number.NEGATIVE_INFINITY;
    this.silentSinceMs[slot] = Number.POSITIVE_INFINITY;
    this.successes[slot] = 0;
    this.failures[slot] = 0;
    this.aborts[slot] = 0;
    // At rest, but for a slot that was taken from under its last requests, which only one thread does.
    for (const thread of this.threads) {
      thread.picks[slot] = 0;
      thread.inFlight[slot] = 0;
      thread.pendingUnits[slot] = 0;
      thread.running[slot] = 0;
      thread.heldUnits[slot] = 0;
    }
  }
}
