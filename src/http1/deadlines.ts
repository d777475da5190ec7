import { type Deadline, DeadlineWheel } from "../core/kit/deadline-wheel.ts";

/**
 * All timeouts of one thread on one timer: coarse (late by up to 300 ms, never early), but a number's
 * assignment each.
 * `nowMs` is the time of the last tick: good enough to set a deadline by.
 */
export class Deadlines {
  nowMs: number = performance.now();
  readonly #wheel: DeadlineWheel = new DeadlineWheel(TICK_MS, this.nowMs);
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Due in `ms` from now (Infinity: never). */
  set(deadline: Deadline, ms: number): void {
    // The last tick may be a whole one ago: never early.
    this.#wheel.set(deadline, this.nowMs + TICK_MS + ms);
  }

  clear(deadline: Deadline): void {
    this.#wheel.set(deadline, Number.POSITIVE_INFINITY);
  }

  /** For good: its owner is gone. */
  remove(deadline: Deadline): void {
    this.#wheel.remove(deadline);
  }

  /** How many stand in the wheel, due or not. */
  get count(): number {
    return this.#wheel.size;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.nowMs = performance.now();
    this.#wheel.advance(this.nowMs);
  }
}

const TICK_MS = 100;

/** How long the phases of a connection may last. */
export interface ServerTimeouts {
  /** From a request's first byte to the end of its head. */
  readonly headerMs: number;
  /** Between two requests. */
  readonly keepAliveMs: number;
  /** Without a byte of progress in a body, or in a response that the client does not read. */
  readonly progressMs: number;
}
