import type { Random } from "../core/kit/random.ts";
import { assert } from "../errors.ts";

/**
 * A model of an LLM engine with continuous batching and chunked prefill, without time of its own.
 * Each step has one budget of tokens: running sequences decode one token each, what is left reads prompts in
 * order of arrival. So a first token waits for the prompts before it, and every long prompt slows everyone's
 * decoding. The caller turns it: `beginStep` says how long the step takes, `endStep` hands out its tokens.
 * Source: the iteration-level scheduling of Orca (Yu et al., OSDI 2022), the chunked prefill of Sarathi-Serve
 * (Agrawal et al., OSDI 2024), the scheduling order of vLLM V1 (running first, then waiting, no preemption
 * here).
 */
export class BatchingEngine {
  readonly options: EngineOptions;
  readonly #random: Random;
  #waiting: Sequence[] = [];
  #running: Sequence[] = [];
  #kvTokens = 0;
  #kvTokensReserved = 0;
  #isStepping = false;

  constructor(options: EngineOptions, dice: Random) {
    // With fewer tokens a step than sequences, the youngest would starve.
    assert(options.tokensPerStepMax >= options.sequencesMax, "a step has a token for every running sequence");
    assert(options.kvTokensMax >= options.contextTokensMax, "the longest context fits into the KV cache");
    this.options = options;
    this.#random = dice;
  }

  /** Sequences in the batch. */
  get running(): number {
    return this.#running.length;
  }

  /** Sequences that no step has touched yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Share of the KV cache that holds tokens, 0..1. */
  get kvUsage(): number {
    return this.#kvTokens / this.options.kvTokensMax;
  }

  /**
   * Puts a sequence at the end of the queue; undefined when `waitingMax` already wait. Both counts are >= 1.
   */
  submit(promptTokens: number, outputTokens: number): Sequence | undefined {
    assert(promptTokens >= 1 && outputTokens >= 1, "a sequence has a prompt and an output");
    assert(promptTokens + outputTokens <= this.options.contextTokensMax, "a sequence fits into the context");
    if (this.#waiting.length >= this.options.waitingMax) return undefined;
    const sequence: Sequence = {
      promptTokens,
      outputTokens,
      state: "waiting",
      prefilled: 0,
      generated: 0,
      tokensThisStep: 0,
    };
    this.#waiting.push(sequence);
    return sequence;
  }

  /**
   * Frees the place and the KV cache of a sequence at once, also in mid-step. One that has ended stays as it
   * is.
   */
  cancel(sequence: Sequence): void {
    if (sequence.state === "waiting") this.#waiting.splice(this.#waiting.indexOf(sequence), 1);
    else if (sequence.state === "running") this.#free(sequence);
    else return;
    sequence.state = "cancelled";
    this.#running = this.#running.filter(isRunning);
  }

  /** Fills a step and says how many milliseconds it takes; 0 when there is nothing to do. */
  beginStep(): number {
    assert(!this.#isStepping, "one step at a time");
    let budget = this.options.tokensPerStepMax;
    // At most one running sequence still reads its prompt, and it is the last: decoding never waits for it.
    for (const sequence of this.#running) budget -= schedule(sequence, budget);
    while (budget > 0 && this.#running.length < this.options.sequencesMax) {
      const next = this.#admit();
      if (next === undefined) break;
      budget -= schedule(next, budget);
    }
    if (this.#running.length === 0) return 0;
    this.#isStepping = true;
    return this.#stepMs(this.options.tokensPerStepMax - budget);
  }

  /** Ends the step: `onToken` is called for every sequence that has a new token, oldest first. */
  endStep(onToken: (sequence: Sequence) => void): void {
    assert(this.#isStepping, "a step was begun");
    this.#isStepping = false;
    for (const sequence of this.#running) {
      if (sequence.state === "running" && this.#advance(sequence)) onToken(sequence);
    }
    this.#running = this.#running.filter(isRunning);
  }

  /** True when the sequence gained a token: by decoding, or by the last piece of its prompt. */
  #advance(sequence: Sequence): boolean {
    const tokens = sequence.tokensThisStep;
    sequence.tokensThisStep = 0;
    this.#kvTokens += tokens;
    if (sequence.prefilled < sequence.promptTokens) {
      sequence.prefilled += tokens;
      if (sequence.prefilled < sequence.promptTokens) return false;
    }
    sequence.generated++;
    if (sequence.generated === sequence.outputTokens) {
      this.#free(sequence);
      sequence.state = "finished";
    }
    return true;
  }

  #admit(): Sequence | undefined {
    const next = this.#waiting[0];
    if (next === undefined) return undefined;
    // The whole length is reserved: a batch never outgrows the cache, so nothing is ever preempted.
    const reserved = next.promptTokens + next.outputTokens;
    if (this.#kvTokensReserved + reserved > this.options.kvTokensMax) return undefined;
    this.#waiting.shift();
    this.#kvTokensReserved += reserved;
    next.state = "running";
    this.#running.push(next);
    return next;
  }

  #free(sequence: Sequence): void {
    this.#kvTokensReserved -= sequence.promptTokens + sequence.outputTokens;
    this.#kvTokens -= kvTokensOf(sequence);
  }

  #stepMs(tokens: number): number {
    const { stepBaseMs, stepPerTokenMs, stepPerKvTokenMs, slowness, jitter } = this.options;
    const ms = stepBaseMs + stepPerTokenMs * tokens + stepPerKvTokenMs * this.#kvTokens;
    return ms * slowness * (1 + jitter * (2 * this.#random.float() - 1));
  }
}

/** One request inside the engine. Only the engine writes to it. */
export interface Sequence {
  readonly promptTokens: number;
  readonly outputTokens: number;
  state: "waiting" | "running" | "finished" | "cancelled";
  /** Prompt tokens read so far. */
  prefilled: number;
  /** Output tokens made so far. */
  generated: number;
  /** What the step under way does for it, in tokens. */
  tokensThisStep: number;
}

/** The machine that is imitated. */
export interface EngineOptions {
  /** Tokens that one step works on, decode and prefill together. */
  readonly tokensPerStepMax: number;
  /** Sequences in the batch. */
  readonly sequencesMax: number;
  /** Sequences that may wait for a place in the batch. */
  readonly waitingMax: number;
  /** Prompt and output tokens of one sequence. */
  readonly contextTokensMax: number;
  /** Tokens that the KV cache holds, over all sequences of the batch. */
  readonly kvTokensMax: number;
  /** What a step costs however little it does. */
  readonly stepBaseMs: number;
  readonly stepPerTokenMs: number;
  /** Attention reads the cache of the whole batch in every step. */
  readonly stepPerKvTokenMs: number;
  /** 1 is full speed; every step takes this many times as long. */
  readonly slowness: number;
  /** Each step is up to this share shorter or longer, by the dice; 0..1. */
  readonly jitter: number;
}

/**
 * A small model on a small GPU. Measured in virtual time with the demo's workload (`workload.ts`: prompts of
 * about 645 tokens, about 60 output tokens; `engine.test.ts` verifies it):
 * - capacity: about 12 requests/s at slowness 1, 3 requests/s at slowness 4, so 27 for the fleet of two fast
 *   and one slow;
 * - 16 requests/s in equal thirds: 45 % on the fast ones, 180 % on the slow one, whose first tokens come
 *   about 0.4 s later with every second that passes;
 * - 16 requests/s in proportion to speed: 60 % everywhere.
 */
export const DEMO_ENGINE: EngineOptions = {
  tokensPerStepMax: 512,
  sequencesMax: 32,
  waitingMax: 512,
  contextTokensMax: 32_768,
  kvTokensMax: 65_536,
  stepBaseMs: 11,
  stepPerTokenMs: 0.08,
  stepPerKvTokenMs: 0.0001,
  slowness: 1,
  jitter: 0.05,
};

function isRunning(sequence: Sequence): boolean {
  return sequence.state === "running";
}

/** Gives a sequence its part of the step: one token to decode, or as much of its prompt as fits. */
function schedule(sequence: Sequence, budget: number): number {
  const unread = sequence.promptTokens - sequence.prefilled;
  sequence.tokensThisStep = Math.min(budget, unread > 0 ? unread : 1);
  return sequence.tokensThisStep;
}

/** The newest token is not in the cache yet: the step that follows it puts it there. */
function kvTokensOf(sequence: Sequence): number {
  return sequence.prefilled + Math.max(0, sequence.generated - 1);
}
