/**
 * Signals that have a meaning once Evener runs. One that comes before waits until then: left to themselves
 * they would end the process.
 */
export class Signals {
  readonly #handlers: Map<NodeJS.Signals, () => void> = new Map();
  readonly #early: Set<NodeJS.Signals> = new Set();

  constructor(names: readonly NodeJS.Signals[]) {
    for (const name of names) process.on(name, () => this.#came(name));
  }

  /** Runs `handle` at each; at once if it has come already. */
  on(name: NodeJS.Signals, handle: () => void): void {
    this.#handlers.set(name, handle);
    if (this.#early.delete(name)) handle();
  }

  #came(name: NodeJS.Signals): void {
    const handle = this.#handlers.get(name);
    if (handle === undefined) this.#early.add(name);
    else handle();
  }
}
