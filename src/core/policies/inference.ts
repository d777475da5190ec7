// Hot path: log2 of the prompt's blocks an endpoint; allocates nothing.
import { FIGURE, InferenceBook, type InferenceMemory } from "../inference/inference-memory.ts";
import { Reuse } from "../inference/reuse.ts";
import { FIRST_BYTE_TOKENS, HELD_SHARE, PREFILL_MS_PRIOR, TokenSpeed } from "../inference/token-speed.ts";
import type { Random } from "../kit/random.ts";
import type { Lease, LeaseFacts, Outcome } from "../lease.ts";
import type { Prompt } from "../prompt.ts";
import type { Work } from "../work.ts";
import { auto } from "./auto.ts";
import { NO_OPTIONS, type Policy, type PolicyKit, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The endpoint where a prompt costs least, in milliseconds: what waits there, its own tokens that are not
 * cached there (dearer where answers run that it slows down, and where one more copy of a prefix would push
 * out others), and the context that every step reads.
 * When to use: model servers behind an LLM API; `auto` is this there.
 * When not: anything else; work without a prompt is placed as `auto` does.
 * Cost: O(n log b) a pick for prompts of b blocks, no allocation.
 * Source: ours. Near relatives: LPWL (agentic-kvc), LMetric (arXiv 2603.15202), Dynamo's KV router; pending
 * work is booked in tokens and becomes time at the pick, by what is known of that endpoint then.
 */
export const inference: PolicySpec = {
  name: "inference",
  summary: "where a prompt costs least: waiting work, cached prefixes, running answers, learned speed",
  options: NO_OPTIONS,
  create: (_options, kit) => new Inference(kit),
};

class Inference implements Policy {
  readonly memory: InferenceMemory;
  readonly #random: Random;
  readonly #book: InferenceBook;
  readonly #speed: TokenSpeed;
  readonly #reuse: Reuse;
  readonly #otherwise: Policy;
  /** Of the last pick: the most blocks that anybody has cached. */
  #bestBlocks = 0;

  constructor(kit: PolicyKit) {
    this.memory =
      (kit.memory as InferenceMemory | undefined) ??
      InferenceBook.memory(kit.slotsMax, kit.isShared ?? false);
    this.#book = new InferenceBook(this.memory);
    this.#speed = new TokenSpeed(this.#book);
    this.#reuse = new Reuse(this.#book);
    this.#random = kit.random;
    this.#otherwise = auto.create({}, kit);
  }

  joined(slot: number): void {
    this.#speed.forget(slot);
    this.#book.prefixes.forget(slot);
  }

  pick(view: PoolView, work: Work): number {
    const { prompt } = work;
    if (prompt === null) return this.#otherwise.pick(view, work);
    const { candidates, count, ledger } = view;
    ledger.refreshHeld(candidates, count);
    const outputTokens = this.#outputTokens(prompt);
    this.#bestBlocks = 0;
    let best = -1;
    let bestMs = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const blocks = this.#book.prefixes.match(prompt, slot, ledger.generation[slot]!);
      if (blocks > this.#bestBlocks) this.#bestBlocks = blocks;
      const ms = this.#costMs(view, slot, prompt, blocks, outputTokens);
      if (ms < bestMs) {
        bestMs = ms;
        best = slot;
        ties = 1;
      } else if (ms === bestMs && this.#random.below(++ties) === 0) best = slot;
    }
    return best;
  }

  placed({ ledger }: PoolView, { prompt }: Work, lease: Lease): void {
    if (prompt === null) return;
    const { slot, forecast } = lease;
    const { prefixes, figures } = this.#book;
    const blocks = prefixes.match(prompt, slot, lease.generation);
    const newTokens = prompt.tokens - prompt.cachedTokens(blocks);
    forecast.matchedBlocks = blocks;
    forecast.matchAge = prefixes.matchAge;
    forecast.blockCount = prompt.blockCount;
    forecast.promptTokens = prompt.tokens;
    forecast.newTokens = newTokens;
    forecast.aheadTokens = ledger.pendingUnits[slot]! + newTokens;
    forecast.heldTokens = prompt.tokens + this.#outputTokens(prompt) / 2;
    forecast.running = ledger.running[slot]!;
    forecast.contextTokens = ledger.heldUnits[slot]!;
    lease.units = newTokens;
    lease.scale = (forecast.aheadTokens + FIRST_BYTE_TOKENS) / figures[FIGURE.aheadTokens]!;
    const cached = Math.max(blocks, this.#bestBlocks);
    this.#reuse.placed(prefixes.matchAnywhere(prompt), cached, blocks, prompt.blockCount);
    this.#bestBlocks = 0;
    prefixes.note(prompt, slot, lease.generation);
  }

  began({ slot, forecast, firstByteMs }: LeaseFacts, nowMs: number): void {
    if (forecast.promptTokens === 0) return;
    this.#fade(FIGURE.aheadTokens, forecast.aheadTokens + FIRST_BYTE_TOKENS);
    this.#speed.observe(slot, forecast.aheadTokens, firstByteMs, nowMs);
  }

  ended({ slot, forecast }: LeaseFacts, outcome: Outcome): void {
    const { promptTokens, blockCount, matchedBlocks, matchAge, cachedTokens, outputTokens } = forecast;
    if (promptTokens === 0 || outcome !== "ok") return;
    if (outputTokens > 0) {
      this.#fade(FIGURE.outputTokens, outputTokens);
      // What was written is cached, too.
      this.#book.prefixes.advance(slot, Math.round((outputTokens / promptTokens) * blockCount));
    }
    if (Number.isNaN(cachedTokens)) return;
    const cachedBlocks = Math.floor((cachedTokens / promptTokens) * blockCount + 0.5);
    this.#book.prefixes.learn(slot, matchedBlocks, matchAge, cachedBlocks);
  }

  tended(slots: Int32Array, nowMs: number): void {
    this.#speed.tend(slots);
    this.#reuse.tend(nowMs);
  }

  #costMs({ ledger }: PoolView, slot: number, prompt: Prompt, blocks: number, outputTokens: number): number {
    const { prefillMs, heldMs, figures } = this.#book;
    const known = prefillMs[slot]!;
    const newMs = known > 0 ? known : PREFILL_MS_PRIOR;
    const contextMs = known > 0 ? heldMs[slot]! : PREFILL_MS_PRIOR * HELD_SHARE;
    const newTokens = prompt.tokens - prompt.cachedTokens(blocks);
    const dearer = (1 + figures[FIGURE.surcharge]!) * (1 + RUNNING_SHARE * ledger.running[slot]!);
    const waitMs = (ledger.pendingUnits[slot]! + ledger.burden[slot]! * figures[FIGURE.aheadTokens]!) * newMs;
    const context = ledger.heldUnits[slot]! + prompt.tokens;
    const decodeMs = contextMs * context * outputTokens * DECODE_SHARE;
    return (waitMs + newTokens * newMs * dearer + decodeMs) / ledger.weight[slot]!;
  }

  #outputTokens({ outputTokensMax }: Prompt): number {
    const usual = this.#book.figures[FIGURE.outputTokens]!;
    return outputTokensMax > 0 && outputTokensMax < usual ? outputTokensMax : usual;
  }

  #fade(figure: number, sample: number): void {
    const { figures } = this.#book;
    figures[figure]! += (sample - figures[figure]!) * FIGURE_GAIN;
  }
}

/** How much dearer new tokens are for each answer that runs there and waits for them. */
const RUNNING_SHARE = 0.05;
/** How much of the time that answers take counts beside the time until they begin. */
const DECODE_SHARE = 0.3;
const FIGURE_GAIN = 0.01;
