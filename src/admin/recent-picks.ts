import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { AdminSource } from "./source.ts";

/**
 * How often each backend was picked in the last minute or so, read from the ledger's counters every five
 * seconds: a share over the whole life of a backend would not show what happens now.
 */
export class RecentPicks implements DeadlineOwner {
  readonly #source: AdminSource;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline = new Deadline(this);
  /** Counters of the past, a ring each. */
  readonly #past: WeakMap<Endpoint, Float64Array> = new WeakMap();
  #ticks = 0;

  constructor(source: AdminSource, deadlines: Deadlines) {
    this.#source = source;
    this.#deadlines = deadlines;
    this.#deadlines.set(this.#deadline, SAMPLE_MS);
  }

  /** Picks of a member in the last {@link RECENT_PICKS_S} seconds, or since it joined. */
  of(endpoint: Endpoint, ledger: Ledger): number {
    const past = this.#past.get(endpoint)?.[this.#ticks % SAMPLES] ?? 0;
    return ledger.picks[endpoint.slot]! - past;
  }

  /** Takes a sample; the clock does it. */
  sample(): void {
    for (const { pool } of this.#source.pools()) {
      for (const endpoint of pool.members.list) {
        let past = this.#past.get(endpoint);
        if (past === undefined) this.#past.set(endpoint, (past = new Float64Array(SAMPLES)));
        past[this.#ticks % SAMPLES] = pool.ledger.picks[endpoint.slot]!;
      }
    }
    // The next place to be written holds the oldest sample: what `of` compares with.
    this.#ticks++;
  }

  onDeadline(): void {
    this.sample();
    this.#deadlines.set(this.#deadline, SAMPLE_MS);
  }

  close(): void {
    this.#deadlines.remove(this.#deadline);
  }
}

const SAMPLE_MS = 5_000;
const SAMPLES = 12;
/** The window of {@link RecentPicks}, seconds. */
export const RECENT_PICKS_S = 60;
