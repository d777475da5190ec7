/** One bell a thread, on shared memory: a ring reaches a thread that sleeps in its event loop. */
export class Doorbells {
  readonly #rings: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#rings = new Int32Array(buffer);
  }

  /** Memory for that many threads. */
  static memory(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT);
  }

  ring(thread: number): void {
    Atomics.add(this.#rings, thread, 1);
    Atomics.notify(this.#rings, thread);
  }

  /** How often it has rung, for {@link heard}. */
  count(thread: number): number {
    return Atomics.load(this.#rings, thread);
  }

  /** Resolves when the bell of `thread` has rung more than `count` times; null when it has already. */
  heard(thread: number, count: number): Promise<unknown> | null {
    const waiting = Atomics.waitAsync(this.#rings, thread, count);
    return waiting.async ? waiting.value : null;
  }
}
