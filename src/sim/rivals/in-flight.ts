/** How many requests a router has sent to each engine that have not ended. Engines may join at any time. */
export class InFlight {
  readonly #counts: number[] = [];

  at(engine: number): number {
    return this.#counts[engine] ?? 0;
  }

  started(engine: number): void {
    this.#counts[engine] = this.at(engine) + 1;
  }

  ended(engine: number): void {
    this.#counts[engine] = Math.max(0, this.at(engine) - 1);
  }
}
