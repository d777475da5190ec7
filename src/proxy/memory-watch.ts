import { totalmem } from "node:os";

/**
 * Says when memory runs short where it is limited, as in a container: beyond the limit the system ends the
 * process, with all that it serves. What is there goes on; only new connections find no room.
 */
export class MemoryWatch {
  readonly #fullBytes: number;
  readonly #usedBytes: () => number;
  readonly #nowMs: () => number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isShort = false;

  constructor(
    limitBytes: number = memoryLimitBytes(),
    usedBytes: () => number = () => process.memoryUsage.rss(),
    nowMs: () => number = () => performance.now(),
  ) {
    this.#fullBytes = limitBytes * FULL_SHARE;
    this.#usedBytes = usedBytes;
    this.#nowMs = nowMs;
  }

  get isShort(): boolean {
    if (this.#fullBytes === Number.POSITIVE_INFINITY) return false;
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return this.#isShort;
    this.#lookedAtMs = nowMs;
    this.#isShort = this.#usedBytes() > this.#fullBytes;
    return this.#isShort;
  }
}

/** What this process may use; Infinity where only the machine is the limit. */
export function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : Number.POSITIVE_INFINITY;
}

/** Of the limit, resident. The rest is for the kernel's side of the connections. */
const FULL_SHARE = 0.95;
/** To look costs some microseconds. */
const LOOK_MS = 20;
