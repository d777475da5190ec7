import type { Write, WriteOutcome } from "../core/tasks/write.ts";

/**
 * Commits that come while one is on its way go together into the next: no timer, and nobody waits for more
 * than the one before. `Packed`: the writes of one commit as the store below takes them.
 */
export class GroupCommit<Packed> {
  readonly #pack: (writes: readonly Write[]) => Packed;
  /** One transaction of them: all or nothing, durable when it resolves. An outcome a write. */
  readonly #write: (commits: readonly Packed[]) => Promise<readonly WriteOutcome[]>;
  #waiting: Waiting<Packed>[] = [];
  #running: Promise<void> | null = null;

  /** `write` makes one transaction of them: all or nothing, durable when it resolves. */
  constructor(
    pack: (writes: readonly Write[]) => Packed,
    write: (commits: readonly Packed[]) => Promise<readonly WriteOutcome[]>,
  ) {
    this.#pack = pack;
    this.#write = write;
  }

  commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    const done = Promise.withResolvers<readonly WriteOutcome[]>();
    // Now, while the one before is on its way.
    this.#waiting.push({ packed: this.#pack(writes), count: writes.length, done });
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
        const outcomes = await this.#write(together.map(({ packed }) => packed));
        let from = 0;
        for (const { count, done } of together) {
          done.resolve(outcomes.slice(from, from + count));
          from += count;
        }
      } catch (error) {
        for (const { done } of together) done.reject(error);
      }
    }
    this.#running = null;
  }
}

interface Waiting<Packed> {
  readonly packed: Packed;
  /** Writes in it. */
  readonly count: number;
  readonly done: PromiseWithResolvers<readonly WriteOutcome[]>;
}
