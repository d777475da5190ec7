// Hot path: some numbers a candidate; allocates nothing.
import type { Lease } from "../lease.ts";

/**
 * What the endpoints would have cost that were weighed for one prompt: the cheapest, in their order, and
 * always the one it went to. Kept until the next prompt is weighed, for whoever wants to remember it.
 */
export class Weighing {
  /** Of the prompt that was weighed, once it is placed; null before. */
  lease: Lease | null = null;
  /** All that were weighed. */
  total = 0;
  /** Those that are kept. */
  count = 0;
  /** By row: {@link COST_COLUMNS} figures each, by {@link COST}. */
  readonly figures: Float64Array = new Float64Array(ROWS * COST_COLUMNS);
  readonly #slots: Int32Array = new Int32Array(ROWS);
  /** Rows: those that are kept, the cheapest first, then those that are free. */
  readonly #order: Uint8Array = Uint8Array.from({ length: ROWS }, (_, row) => row);

  /** Another prompt. */
  begin(): void {
    this.lease = null;
    this.total = 0;
    this.count = 0;
  }

  /** Where in {@link figures} the next candidate is to be written, before {@link take} or {@link keep}. */
  get next(): number {
    return this.#order[this.count]! * COST_COLUMNS;
  }

  /** What was written is that of this slot; kept when it is among the cheapest. */
  take(slot: number): void {
    const { figures } = this;
    const order = this.#order;
    const row = order[this.count]!;
    const costMs = figures[row * COST_COLUMNS]!;
    let place = this.count;
    for (; place > 0 && costMs < figures[order[place - 1]! * COST_COLUMNS]!; place--) {
      order[place] = order[place - 1]!;
    }
    order[place] = row;
    this.#slots[row] = slot;
    this.total++;
    if (this.count < CANDIDATES_KEPT_MAX) this.count++;
  }

  /** The same, but kept whatever it costs: it is where the prompt goes. */
  keep(slot: number): void {
    const order = this.#order;
    const row = order[this.count]!;
    this.#slots[row] = slot;
    if (this.count < CANDIDATES_KEPT_MAX) {
      this.count++;
      return;
    }
    order[this.count] = order[this.count - 1]!;
    order[this.count - 1] = row;
  }

  holds(slot: number): boolean {
    for (let place = 0; place < this.count; place++) if (this.slotAt(place) === slot) return true;
    return false;
  }

  /** `place` 0 is the cheapest. */
  slotAt(place: number): number {
    return this.#slots[this.#order[place]!]!;
  }

  /** Where in {@link figures} those of that place begin. */
  figuresAt(place: number): number {
    return this.#order[place]! * COST_COLUMNS;
  }
}

/** What is noted of a candidate. */
export const COST = {
  /** All of it, in milliseconds; the next five are its parts. */
  costMs: 0,
  /** Of prompts that wait there. */
  waitingMs: 1,
  /** Of the tokens that are not cached there. */
  prefillMs: 2,
  /** What those cost others: see `Reuse`. */
  surchargeMs: 3,
  /** Answers there that stand still meanwhile. */
  standStillMs: 4,
  /** Context that each token of the answer has to read. */
  contextMs: 5,
  /** Tokens of the prompt that were expected in the cache. */
  cachedTokens: 6,
  /** Requests in flight there before. */
  inFlight: 7,
} as const;

export const COST_COLUMNS = 8;
/** Whoever is dearer than so many others is not worth a line. */
export const CANDIDATES_KEPT_MAX = 16;
/** One more, for the candidate that is being weighed. */
const ROWS = CANDIDATES_KEPT_MAX + 1;
