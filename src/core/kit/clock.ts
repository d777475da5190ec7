/** Time as the engine sees it: monotonic milliseconds, from any origin. */
export interface Clock {
  nowMs(): number;
}

/** A clock that stands until it is moved: for tests and simulations. */
export class VirtualClock implements Clock {
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Moves time forward to `atMs`; moving back is a bug and throws. */
  moveTo(atMs: number): void {
    if (atMs < this.#nowMs) throw new RangeError(`time can not run back: ${this.#nowMs} to ${atMs} ms`);
    this.#nowMs = atMs;
  }

  advance(ms: number): void {
    this.moveTo(this.#nowMs + ms);
  }
}
