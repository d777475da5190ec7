import { setTimeout as sleep } from "node:timers/promises";
import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { EvenerError } from "../errors.ts";
import type { TaskStore } from "../store/store.ts";

/** Writes of one turn of the event loop go to the store together; their outcomes come back together, too. */
export class Commits {
  readonly #store: TaskStore;
  readonly #settled: () => void;
  readonly #onFailure: (error: unknown) => void;
  #writes: Write[] = [];
  #done: ((outcome: WriteOutcome) => void)[] = [];
  #open = 0;
  #onRest: (() => void) | null = null;

  /** `settled` is called after each group; `onFailure` when the store could not write one. */
  constructor(store: TaskStore, settled: () => void, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#settled = settled;
    this.#onFailure = onFailure;
  }

  add(write: Write, done: (outcome: WriteOutcome) => void): void {
    if (this.#writes.length === 0) setImmediate(() => void this.#commit());
    this.#writes.push(write);
    this.#done.push(done);
  }

  /** Nothing is on its way any more. */
  async atRest(): Promise<void> {
    if (this.#open === 0 && this.#writes.length === 0) return;
    await new Promise<void>((resolve) => (this.#onRest = resolve));
  }

  async #commit(): Promise<void> {
    const [writes, done] = [this.#writes, this.#done];
    this.#writes = [];
    this.#done = [];
    this.#open++;
    const outcomes = await this.#outcomesOf(writes);
    this.#open--;
    for (let i = 0; i < done.length; i++) done[i]!(outcomes[i]!);
    this.#settled();
    if (this.#open === 0 && this.#writes.length === 0) this.#onRest?.();
  }

  /** Nobody knows whether it was kept: each write has a condition, so that asking again finds out. */
  async #again(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    await sleep(AGAIN_MS);
    return this.#outcomesOf(writes);
  }

  async #outcomesOf(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    try {
      return (await this.#store.commit(writes)).map((outcome, i) => ownOrNot(writes[i]!, outcome));
    } catch (error) {
      this.#onFailure(error);
      if (error instanceof EvenerError && error.code === "EVENER_STORE_UNKNOWN") return this.#again(writes);
      const isFull = error instanceof EvenerError && error.code === "EVENER_STORE_FULL";
      return writes.map(() => ({ kind: "failed", isFull }));
    }
  }
}

/** A task that is in its own way was submitted before, unheard. */
function ownOrNot(write: Write, outcome: WriteOutcome): WriteOutcome {
  const isOwn = write.do === "submit" && outcome.kind === "duplicate" && outcome.id === write.task.id;
  return isOwn ? { kind: "done", cursor: 0 } : outcome;
}

const AGAIN_MS = 500;
