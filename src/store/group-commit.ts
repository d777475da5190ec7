import type { Write, WriteOutcome } from "../core/tasks/write.ts";

/**
 * Commits that come while one is on its way go together into the next: no timer, and nobody waits for more
 * than the one before. `Packed` is a write as the store below takes it.
 */
export class GroupCommit<Packed> {
  readonly #pack: (write: Write) => Packed;
  readonly #write: (writes: readonly Packed[]) => Promise<readonly WriteOutcome[]>;
  #waiting: Waiting<Packed>[] = [];
  #running: Promise<void> | null = null;

  /** `write` makes one transaction of them: all or nothing, durable when it resolves. */
  constructor(
    pack: (write: Write) => Packed,
    write: (writes: readonly Packed[]) => Promise<readonly WriteOutcome[]>,
  ) {
    this.#pack = pack;
    this.#write = write;
  }

  commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    const done = Promise.withResolvers<readonly WriteOutcome[]>();
    this.#waiting.push({ writes: writes.map((write) => this.#pack(write)), done });
    this.#running ??= this.#commitAll();
    return done.promise;
  }

  /** What has come so far is durable, or was rejected. */
  async atRest(): Promise<void> {
    await this.#running;
  }

  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#waiting;
      this.#waiting = [];
      try {
        const outcomes = await this.#write(together.flatMap(({ writes }) => writes));
        let from = 0;
        for (const { writes, done } of together) {
          done.resolve(outcomes.slice(from, from + writes.length));
          from += writes.length;
        }
      } catch (error) {
        for (const { done } of together) done.reject(error);
      }
    }
    this.#running = null;
  }
}

interface Waiting<Packed> {
  readonly writes: readonly Packed[];
  readonly done: PromiseWithResolvers<readonly WriteOutcome[]>;
}
