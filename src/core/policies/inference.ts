// Hot path: log2 of the prompt's blocks an endpoint; allocates nothing.
import { FIGURE, InferenceBook, type InferenceMemory } from "../inference/inference-book.ts";
import { Reuse } from "../inference/reuse.ts";
import { FIRST_BYTE_UNITS, TokenSpeed, UNIT_MS_PRIOR } from "../inference/token-speed.ts";
import type { Random } from "../kit/random.ts";
import type { Lease, LeaseFacts, Outcome } from "../lease.ts";
import type { Prompt } from "../prompt.ts";
import type { Work } from "../work.ts";
import { auto } from "./auto.ts";
import { NO_OPTIONS, type Policy, type PolicyKit, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The endpoint where a prompt costs all of its users least, in milliseconds: what waits there, its own tokens
 * that are not cached there (dearer by what others pay for them: answers that stand still meanwhile, prefixes
 * that are pushed out), and the context that every step reads.
 * When to use: model servers behind an LLM API; `auto` is this there.
 * When not: anything else; work without a prompt is placed as `auto` does.
 * Cost: O(n log b) a pick for prompts of b blocks, no allocation.
 * Source: ours; docs/policies/inference.md has the formula and its reasons. Near relatives: LPWL
 * (agentic-kvc), LMetric (arXiv 2603.15202), Dynamo's KV router.
 */
export const inference: PolicySpec = {
  name: "inference",
  summary: "where a prompt costs least: waiting work, cached prefixes, running answers, learned speed",
  options: NO_OPTIONS,
  create: (_options, kit) => new Inference(kit),
};

class Inference implements Policy {
  readonly memory: InferenceMemory;
  readonly knowsSpeed = true;
  readonly #random: Random;
  readonly #book: InferenceBook;
  readonly #speed: TokenSpeed;
  readonly #reuse: Reuse;
  readonly #otherwise: Policy;
  /** Of the last pick: the most blocks that anybody has cached. */
  #mostBlocks = 0;

  constructor(kit: PolicyKit) {
    const given = kit.memory as InferenceMemory | undefined;
    this.memory = given ?? InferenceBook.memory(kit.slotsMax, kit.isShared ?? false);
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
    this.#mostBlocks = 0;
    let best = -1;
    let bestMs = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const blocks = this.#book.prefixes.match(prompt, slot, ledger.generation[slot]!);
      if (blocks > this.#mostBlocks) this.#mostBlocks = blocks;
      const ms = this.#costMs(view, slot, prompt, this.#expectedBlocks(view, slot, prompt, blocks));
      if (ms < bestMs) {
        bestMs = ms;
        best = slot;
        ties = 1;
      } else if (ms === bestMs && this.#random.below(++ties) === 0) best = slot;
    }
    return best;
  }

  placed(view: PoolView, { prompt }: Work, lease: Lease): void {
    if (prompt === null) return;
    const { slot, generation, forecast } = lease;
    const { prefixes, figures } = this.#book;
    const blocks = prefixes.match(prompt, slot, generation);
    forecast.isSibling = blocks > 0 && this.#isSibling(view, slot, prompt) ? 1 : 0;
    const expected = this.#expectedBlocks(view, slot, prompt, blocks);
    const units = prompt.prefillUnits(prompt.cachedTokens(expected));
    prefixes.expect(prompt, slot, generation, forecast);
    forecast.blockCount = prompt.blockCount;
    forecast.promptTokens = prompt.tokens;
    forecast.aheadUnits = view.ledger.pendingUnits[slot]! + units;
    forecast.heldTokens = prompt.tokens + this.#outputTokens(prompt) / 2;
    lease.units = units;
    lease.scale = (forecast.aheadUnits + FIRST_BYTE_UNITS) / figures[FIGURE.aheadUnits]!;
    const most = Math.max(blocks, this.#mostBlocks);
    const seen = prefixes.matchAnywhere(prompt);
    this.#reuse.placed(seen, most, blocks, prompt.blockCount, units * this.#unitMs(slot));
    this.#mostBlocks = 0;
    prefixes.note(prompt, slot, generation);
  }

  began({ slot, forecast, firstByteMs }: LeaseFacts, nowMs: number): void {
    if (forecast.promptTokens === 0) return;
    this.#fade(FIGURE.aheadUnits, forecast.aheadUnits + FIRST_BYTE_UNITS);
    this.#speed.observe(slot, forecast.aheadUnits, firstByteMs, nowMs);
  }

  ended({ slot, forecast }: LeaseFacts, outcome: Outcome): void {
    const { promptTokens, blockCount, cachedTokens, outputTokens } = forecast;
    if (promptTokens === 0 || outcome !== "ok") return;
    const blocksPerToken = blockCount / promptTokens;
    if (outputTokens > 0) {
      this.#fade(FIGURE.outputTokens, outputTokens);
      // What was written is cached, too.
      this.#book.prefixes.advance(slot, Math.round(outputTokens * blocksPerToken));
    }
    if (Number.isNaN(cachedTokens)) return;
    const cachedBlocks = Math.round(cachedTokens * blocksPerToken);
    if (forecast.isSibling === 0) this.#book.prefixes.learn(slot, forecast, cachedBlocks);
    else this.#fade(FIGURE.siblingShare, Math.min(1, cachedBlocks / forecast.matchedBlocks));
  }

  tended(slots: Int32Array, nowMs: number): void {
    this.#speed.tend(slots);
    this.#reuse.tend(slots.length, nowMs);
  }

  #costMs({ ledger }: PoolView, slot: number, prompt: Prompt, blocks: number): number {
    const { figures } = this.#book;
    const unitMs = this.#unitMs(slot);
    const units = prompt.prefillUnits(prompt.cachedTokens(blocks));
    // Whoever failed faster than work takes looks as if it had nothing to do (P3).
    const waitingUnits = ledger.pendingUnits[slot]! + ledger.burden[slot]! * figures[FIGURE.aheadUnits]!;
    // Answers there stand still while the prompt is computed; those that wait will run by then.
    const standStill = (ledger.inFlight[slot]! * (1 + prompt.tokens * PATIENCE_PER_TOKEN)) / PATIENT_ANSWERS;
    const dearer = (1 + figures[FIGURE.surcharge]!) * (1 + standStill);
    const contextTokens = ledger.heldUnits[slot]! + prompt.tokens;
    const decodeUnits = contextTokens * CONTEXT_UNITS * this.#outputTokens(prompt) * DECODE_SHARE;
    return ((waitingUnits + units * dearer + decodeUnits) * unitMs) / ledger.weight[slot]!;
  }

  /** What matched is cached, if it is not only being computed: engines differ in what they share of that. */
  #expectedBlocks(view: PoolView, slot: number, prompt: Prompt, blocks: number): number {
    if (blocks === 0 || !this.#isSibling(view, slot, prompt)) return blocks;
    return blocks * this.#book.figures[FIGURE.siblingShare]!;
  }

  /** After a match for that slot: the last block that matched came with a prompt that still waits there. */
  #isSibling({ ledger }: PoolView, slot: number, prompt: Prompt): boolean {
    const pendingUnits = ledger.pendingUnits[slot]!;
    return pendingUnits > 0 && this.#book.prefixes.matchDepth(slot) * prompt.blockTokens <= pendingUnits;
  }

  #unitMs(slot: number): number {
    const known = this.#book.unitMs[slot]!;
    return known > 0 ? known : UNIT_MS_PRIOR;
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

/**
 * How many answers that stand still for a time weigh as much as one prompt that waits for it: an answer has a
 * reader who is busy for some time yet. A long prompt is more patient, as its sender knows that it takes time.
 */
const PATIENT_ANSWERS = 80;
const PATIENCE_PER_TOKEN = 1 / 8_000;
/**
 * A held token beside a new one, in a step: 8.2e-8 s beside 6.65e-5 s for an 8B model on an A100 (Vidur's
 * profile). Ten times more or less changes little.
 */
const CONTEXT_UNITS = 1 / 811;
/** How much of the time that an answer takes counts beside the time until it begins. */
const DECODE_SHARE = 0.3;
const FIGURE_GAIN = 0.01;
