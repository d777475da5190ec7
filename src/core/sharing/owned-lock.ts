/**
 * Mutual exclusion between threads. The word holds the number of its owner (0 is nobody), so that the lock of
 * a thread that died can be opened by whoever buries it. Held for a microsecond or so; not re-entrant.
 *
 * Whoever goes to sleep marks the word first: the owner wakes somebody only where somebody sleeps.
 * Source: Drepper, Futexes Are Tricky (the mutex of section 5), with an owner in place of the 1.
 */
export class OwnedLock {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #owner: number;
  readonly #waitMsMax: number;

  /**
   * The lock is `words[index]`, on shared memory; `owner` 1..32767 is the number of this thread. `waitMsMax`:
   * for so long at most somebody waits.
   */
  constructor(words: Int32Array, index: number, owner: number, waitMsMax: number = WAIT_MS_MAX) {
    this.#words = words;
    this.#index = index;
    this.#owner = owner;
    this.#waitMsMax = waitMsMax;
  }

  /** False when it was not to be had within about `waitMsMax`: its owner lies dead. */
  acquire(): boolean {
    const words = this.#words;
    const index = this.#index;
    for (let spins = 0; spins < SPINS_MAX; spins++) {
      if (Atomics.compareExchange(words, index, 0, this.#owner) === 0) return true;
    }
    // Its owner was taken off its core in the middle: sleep until it lets go. Others may sleep, too.
    for (let waits = 0; waits < this.#waitMsMax; waits++) {
      const word = Atomics.compareExchange(words, index, 0, this.#owner | SLEEPERS);
      if (word === 0) return true;
      const marked = word | SLEEPERS;
      if (word !== marked && Atomics.compareExchange(words, index, word, marked) !== word) continue;
      Atomics.wait(words, index, marked, 1);
    }
    return false;
  }

  release(): void {
    const word = Atomics.exchange(this.#words, this.#index, 0);
    if ((word & SLEEPERS) !== 0) Atomics.notify(this.#words, this.#index, 1);
  }

  /** Opens it if `owner`, who is dead, has it. */
  releaseOf(owner: number): void {
    for (;;) {
      const word = Atomics.load(this.#words, this.#index);
      if ((word & ~SLEEPERS) !== owner) return;
      if (Atomics.compareExchange(this.#words, this.#index, word, 0) === word) break;
    }
    Atomics.notify(this.#words, this.#index);
  }
}

const SPINS_MAX = 200;
const WAIT_MS_MAX = 500;
/** Beside the owner's number: somebody sleeps until the lock is open. */
const SLEEPERS = 0x8000;
