import type { BatchingEngine, Sequence } from "./engine.ts";

/**
 * Turns an engine in real time: one timer a step, however many sequences are in it; none while it is idle.
 */
export class EngineLoop {
  readonly #engine: BatchingEngine;
  readonly #onToken: (sequence: Sequence) => void;
  readonly #endStep = (): void => this.#end();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #isStopped = false;

  constructor(engine: BatchingEngine, onToken: (sequence: Sequence) => void) {
    this.#engine = engine;
    this.#onToken = onToken;
  }

  /** Call it after a submit. */
  wake(): void {
    if (this.#timer === undefined && !this.#isStopped) this.#begin(performance.now());
  }

  /** For good: no token comes after it. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #begin(startMs: number): void {
    const stepMs = this.#engine.beginStep();
    if (stepMs === 0) {
      this.#timer = undefined;
      return;
    }
    this.#dueMs = startMs + stepMs;
    this.#timer = setTimeout(this.#endStep, Math.max(0, this.#dueMs - performance.now()));
  }

  #end(): void {
    this.#engine.endStep(this.#onToken);
    if (this.#isStopped) return;
    // Timers fire late by a millisecond or so; counting from when they were due keeps the engine at its
    // speed.
    this.#begin(Math.max(this.#dueMs, performance.now() - LATENESS_MS_MAX));
  }
}

/** A process that stood still for longer than this does not catch up by steps without a pause. */
const LATENESS_MS_MAX = 50;
