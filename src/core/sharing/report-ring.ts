import type { Witness } from "../desk-setup.ts";
import { FAILURE_CAUSES } from "../failure-cause.ts";
import { Forecast } from "../forecast.ts";
import { type LeaseFacts, NO_DETAIL, type Outcome, type OutcomeDetail, type PickReason } from "../lease.ts";
import type { Ledger } from "../ledger.ts";
import type { Vitals } from "../vitals.ts";

/**
 * What a data thread has to tell about its leases, on its way to the thread that keeps the pools' health: a
 * ring on shared memory with one writer and one reader. A record counts only once the writer's position has
 * moved behind it, so a writer that dies leaves nothing half told.
 */
export class ReportWriter implements Witness {
  readonly #ledger: Ledger;
  readonly #thread: number;
  readonly #positions: Int32Array;
  readonly #records: Float64Array;
  readonly #onUrgent: () => void;
  #written: number;
  /** How far the reader has been called: until it has come so far, it need not be called again. */
  #calledTo: number;
  /** Records lost because the reader was too slow: lessons, never counts. */
  dropped = 0;

  /**
   * `thread`: who writes, as in the ledger. `onUrgent`: there is something that should not wait for the
   * reader's next look, as it may change where work goes.
   */
  constructor(
    memory: SharedArrayBuffer,
    ledger: Ledger,
    thread: number,
    onUrgent: () => void = (): void => {},
  ) {
    this.#ledger = ledger;
    this.#thread = thread;
    this.#positions = new Int32Array(memory, 0, 2);
    this.#records = new Float64Array(memory, POSITIONS_BYTES);
    this.#written = this.#positions[WRITTEN]!;
    this.#calledTo = this.#written;
    this.#onUrgent = onUrgent;
  }

  started(lease: LeaseFacts, nowMs: number): void {
    this.#write(lease, STARTED, NO_DETAIL, nowMs);
  }

  established(lease: LeaseFacts, nowMs: number): void {
    this.#write(lease, ESTABLISHED, NO_DETAIL, nowMs);
  }

  reported({ slot, generation }: LeaseFacts, { cpu, memory, gpu, queued }: Vitals, nowMs: number): void {
    if (this.#room() <= 0) {
      this.dropped++;
      return;
    }
    const records = this.#records;
    const at = ((this.#written >>> 0) % RECORDS_MAX) * FIELDS;
    records[at] = REPORTED;
    records[at + 1] = slot;
    records[at + 2] = generation;
    records[at + 3] = cpu;
    records[at + 4] = memory;
    records[at + 5] = gpu;
    records[at + 6] = queued;
    records[at + 9] = nowMs;
    this.#publish(this.#written);
  }

  settled(lease: LeaseFacts, outcome: Outcome, detail: OutcomeDetail, nowMs: number): void {
    if (this.#write(lease, OUTCOMES.indexOf(outcome), detail, nowMs)) {
      if (outcome !== "ok" || lease.why === "trial") this.#call();
      return;
    }
    // Nobody will hear that the trial is over. Another thread's stays.
    const { trial, generation } = this.#ledger;
    if (lease.why !== "trial" || generation[lease.slot] !== lease.generation) return;
    Atomics.compareExchange(trial, lease.slot, this.#thread + 1, 0);
  }

  #call(): void {
    if (((Atomics.load(this.#positions, READ) - this.#calledTo) | 0) < 0) return;
    this.#calledTo = this.#written;
    this.#onUrgent();
  }

  #write(lease: LeaseFacts, what: number, detail: OutcomeDetail, nowMs: number): boolean {
    let written = this.#written;
    const { isPrompt } = lease;
    if (this.#room() <= (isPrompt ? 1 : 0)) {
      this.dropped++;
      return false;
    }
    if (isPrompt) this.#writeForecast(written++, lease.forecast);
    const records = this.#records;
    const at = ((written >>> 0) % RECORDS_MAX) * FIELDS;
    records[at] = what;
    records[at + 1] = lease.slot;
    records[at + 2] = lease.generation;
    records[at + 3] = lease.scale;
    records[at + 4] = lease.bookedAtMs;
    records[at + 5] = lease.firstByteMs;
    records[at + 6] = REASONS.indexOf(lease.why);
    records[at + 7] = detail.retryAfterMs;
    records[at + 8] = detail.isUnreachable ? 1 : 0;
    records[at + 9] = nowMs;
    records[at + 10] = lease.isEstablished ? 1 : 0;
    records[at + 11] = detail.cause === undefined ? 0 : FAILURE_CAUSES.indexOf(detail.cause);
    this.#publish(written);
    return true;
  }

  /** Records that can be written now. */
  #room(): number {
    return RECORDS_MAX - ((this.#written - Atomics.load(this.#positions, READ)) | 0);
  }

  /** All up to the record at `last` may be read. */
  #publish(last: number): void {
    this.#written = (last + 1) | 0;
    Atomics.store(this.#positions, WRITTEN, this.#written);
  }

  /** In front of the record that it belongs to, and told with it. */
  #writeForecast(written: number, forecast: Readonly<Forecast>): void {
    const records = this.#records;
    const at = ((written >>> 0) % RECORDS_MAX) * FIELDS;
    records[at] = FORECAST - forecast.isStream - 2 * forecast.isSibling;
    records[at + 1] = forecast.promptTokens;
    records[at + 2] = forecast.aheadUnits;
    records[at + 3] = forecast.savedUnits;
    records[at + 4] = forecast.blockCount;
    records[at + 5] = forecast.matchedBlocks;
    records[at + 6] = forecast.matchedDepth;
    records[at + 7] = forecast.staleBlocks;
    records[at + 8] = forecast.staleDepth;
    records[at + 9] = forecast.cachedTokens;
    records[at + 10] = forecast.outputTokens;
    records[at + 11] = forecast.toldPromptTokens;
    records[at + 12] = forecast.decodeMs;
    records[at + 13] = forecast.loadMs;
  }
}

/** The other end of a {@link ReportWriter}. */
export class ReportReader {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(POSITIONS_BYTES + RECORDS_MAX * FIELDS * 8);
  readonly #positions: Int32Array = new Int32Array(this.memory, 0, 2);
  readonly #records: Float64Array = new Float64Array(this.memory, POSITIONS_BYTES);
  readonly #facts: Facts = new Facts();

  /**
   * Passes on what was told since; `witnessOf` finds who learns for that lease, if any. Returns how many
   * records there were.
   */
  drain(witnessOf: (lease: LeaseFacts) => Witness | undefined): number {
    const written = Atomics.load(this.#positions, WRITTEN);
    const begun = this.#positions[READ]!;
    let read = begun;
    try {
      // Behind it before it is told: one that can not be learned from is not told again for ever.
      while (read !== written) {
        const at = ((read >>> 0) % RECORDS_MAX) * FIELDS;
        read = (read + 1) | 0;
        this.#tell(at, witnessOf);
      }
    } finally {
      if (read !== begun) Atomics.store(this.#positions, READ, read);
    }
    return (read - begun) | 0;
  }

  #tell(at: number, witnessOf: (lease: LeaseFacts) => Witness | undefined): void {
    const records = this.#records;
    const facts = this.#facts;
    if (records[at]! <= FORECAST) return this.#readForecast(at);
    facts.slot = records[at + 1]!;
    facts.generation = records[at + 2]!;
    if (records[at] === REPORTED) return this.#tellReported(at, witnessOf(facts));
    facts.scale = records[at + 3]!;
    facts.bookedAtMs = records[at + 4]!;
    facts.firstByteMs = records[at + 5]!;
    facts.why = REASONS[records[at + 6]!]!;
    facts.isEstablished = records[at + 10] === 1;
    const nowMs = records[at + 9]!;
    try {
      const witness = witnessOf(facts);
      if (records[at] === STARTED) return witness?.started(facts, nowMs);
      if (records[at] === ESTABLISHED) return witness?.established(facts, nowMs);
      const detail = records[at] === OK ? NO_DETAIL : this.#detailAt(at);
      witness?.settled(facts, OUTCOMES[records[at]!]!, detail, nowMs);
    } finally {
      if (facts.isPrompt) facts.forecast.reset();
      facts.isPrompt = false;
    }
  }

  #tellReported(at: number, witness: Witness | undefined): void {
    const records = this.#records;
    const cpu = records[at + 3]!;
    const memory = records[at + 4]!;
    const gpu = records[at + 5]!;
    witness?.reported(this.#facts, { cpu, memory, gpu, queued: records[at + 6]! }, records[at + 9]!);
  }

  #readForecast(at: number): void {
    const records = this.#records;
    const { forecast } = this.#facts;
    this.#facts.isPrompt = true;
    const kind = FORECAST - records[at]!;
    forecast.isStream = kind & 1;
    forecast.isSibling = kind >> 1;
    forecast.promptTokens = records[at + 1]!;
    forecast.aheadUnits = records[at + 2]!;
    forecast.savedUnits = records[at + 3]!;
    forecast.blockCount = records[at + 4]!;
    forecast.matchedBlocks = records[at + 5]!;
    forecast.matchedDepth = records[at + 6]!;
    forecast.staleBlocks = records[at + 7]!;
    forecast.staleDepth = records[at + 8]!;
    forecast.cachedTokens = records[at + 9]!;
    forecast.outputTokens = records[at + 10]!;
    forecast.toldPromptTokens = records[at + 11]!;
    forecast.decodeMs = records[at + 12]!;
    forecast.loadMs = records[at + 13]!;
  }

  #detailAt(at: number): OutcomeDetail {
    const records = this.#records;
    return {
      retryAfterMs: records[at + 7]!,
      isUnreachable: records[at + 8] === 1,
      cause: FAILURE_CAUSES[records[at + 11]!] ?? "",
    };
  }
}

class Facts implements LeaseFacts {
  slot = 0;
  generation = 0;
  scale = 1;
  isPrompt = false;
  readonly forecast: Forecast = new Forecast();
  bookedAtMs = 0;
  firstByteMs = -1;
  isEstablished = false;
  why: PickReason = "policy";
}

const WRITTEN = 0;
const READ = 1;
const POSITIONS_BYTES = 8;
const FIELDS = 14;
/** A power of two, so that positions may wrap: some tenths of a second at full speed. */
const RECORDS_MAX = 8_192;
const STARTED = -1;
const ESTABLISHED = -2;
/** How the endpoint is: fields of its own. */
const REPORTED = -3;
/** The next record's; less by 1 for a stream, by 2 for a sibling. Smaller than any other. */
const FORECAST = -4;
const OUTCOMES: readonly Outcome[] = [
  "ok",
  "backend_error",
  "backend_overload",
  "timeout",
  "client_abort",
  "cancelled",
  "late",
];
const OK = OUTCOMES.indexOf("ok");
const REASONS: readonly PickReason[] = ["policy", "session", "trial"];
