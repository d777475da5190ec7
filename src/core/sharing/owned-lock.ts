/**
 * Mutual exclusion between threads. The word holds the number of its owner (0 is nobody), so that the lock of
 * a thread that died can be opened by whoever buries it. Held for a microsecond or so; not re-entrant.
 */
export class OwnedLock {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #owner: number;

  /** The lock is `words[index]`, on shared memory; `owner` > 0 is the number of this thread. */
  constructor(words: Int32Array, index: number, owner: number) {
    this.#words = words;
    this.#index = index;
    this.#owner = owner;
  }

  /** False when it was not to be had within about {@link WAIT_MS_MAX}: its owner lies dead. */
  acquire(): boolean {
    const words = this.#words;
    const index = this.#index;
    for (let spins = 0; spins < SPINS_MAX; spins++) {
      if (Atomics.compareExchange(words, index, 0, this.#owner) === 0) return true;
    }
    // Its owner was taken off its core in the middle: sleep until it lets go.
    for (let waits = 0; waits < WAIT_MS_MAX; waits++) {
      const holder = Atomics.compareExchange(words, index, 0, this.#owner);
      if (holder === 0) return true;
      Atomics.wait(words, index, holder, 1);
    }
    return false;
  }

  release(): void {
    Atomics.store(this.#words, this.#index, 0);
    Atomics.notify(this.#words, this.#index, 1);
  }

  /** Opens it if `owner`, who is dead, has it. */
  releaseOf(owner: number): void {
    if (Atomics.compareExchange(this.#words, this.#index, owner, 0) === owner) {
      Atomics.notify(this.#words, this.#index);
    }
  }
}

const SPINS_MAX = 200;
const WAIT_MS_MAX = 500;
