/** How long a thread that died is not started again: not at all, but for one that dies again and again. */
export class RestartPauses {
  /** By thread: deaths one soon after the other. */
  readonly #earlyDeaths: Map<number, number> = new Map();

  /** Milliseconds, for thread `number` that has lived for `livedMs`. */
  after(number: number, livedMs: number): number {
    const deaths = livedMs < EARLY_MS ? (this.#earlyDeaths.get(number) ?? 0) + 1 : 0;
    this.#earlyDeaths.set(number, deaths);
    if (deaths === 0) return 0;
    const pauseMs = Math.min(RESTART_MS * 2 ** (deaths - 1), RESTART_MS_MAX);
    // Not all at the same moment.
    return pauseMs * (0.5 + Math.random() / 2);
  }
}

/** A thread that died so soon after its start is not started again at once. */
const EARLY_MS = 2_000;
const RESTART_MS = 500;
const RESTART_MS_MAX = 10_000;
