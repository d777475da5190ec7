// Hot path: log2 of the prompt's blocks an endpoint; allocates nothing.
import type { Forecast } from "../forecast.ts";
import type { Random } from "../kit/random.ts";
import type { Lease, LeaseFacts, Outcome } from "../lease.ts";
import type { Policy, PolicyKit, PolicyMemory, PoolView } from "../policies/policy.ts";
import type { Prompt } from "../prompt.ts";
import type { Work } from "../work.ts";
import { PromptBook } from "./prompt-book.ts";
import { FIGURE, PromptFigures } from "./prompt-figures.ts";
import { Reuse } from "./reuse.ts";
import { FIRST_BYTE_UNITS, TokenSpeed } from "./token-speed.ts";
import { COST, Weighing } from "./weighing.ts";

/**
 * Places prompts where they cost all users least, in milliseconds, and whatever is no prompt as another
 * policy does. The formula and its reasons: docs/policies/inference.md.
 */
export class PromptPlacement implements Policy {
  readonly memory: PolicyMemory;
  readonly weighing: Weighing = new Weighing();
  readonly #random: Random;
  readonly #figures: PromptFigures;
  readonly #pool: number;
  readonly #otherwise: Policy;
  readonly #reuse: Reuse;
  readonly #slotsMax: number;
  /** What is shared is another thread's to clear. */
  readonly #isOwner: boolean;
  /** Made with the first prompt, where nobody has one for all pools. */
  #book: PromptBook | null;
  #speed: TokenSpeed | null = null;
  /** Prompts come here. */
  #isInUse = false;
  /** Of the last pick: the most blocks that anybody has cached, and the two best. */
  #mostBlocks = 0;
  #bestMs = 0;
  #nextMs = 0;
  #nextSlot = -1;

  constructor(kit: PolicyKit, otherwise: Policy) {
    this.#figures = new PromptFigures(kit.memory ?? PromptFigures.memory(kit.isShared ?? false));
    this.memory = this.#figures.memory;
    this.#random = kit.random;
    this.#pool = kit.pool ?? 0;
    this.#otherwise = otherwise;
    this.#reuse = new Reuse(this.#figures);
    this.#slotsMax = kit.slotsMax;
    this.#isOwner = kit.memory === undefined;
    this.#book = kit.prompts ?? null;
  }

  /** Where prompts are placed, speed is weighed in every choice. */
  get knowsSpeed(): boolean {
    return this.#isInUse;
  }

  get bytesPerToken(): number {
    return this.#figures.values[FIGURE.bytesPerToken]!;
  }

  joined(slot: number, id: string): void {
    this.#otherwise.joined?.(slot, id);
    this.#speed?.forget(slot);
    if (this.#isOwner) this.#book?.prefixes.forget(slot);
  }

  pick(view: PoolView, work: Work): number {
    const { prompt } = work;
    if (prompt === null) return this.#otherwise.pick(view, work);
    const { prefixes } = this.#theBook;
    const { candidates, count, ledger } = view;
    ledger.refreshHeld(candidates, count);
    this.weighing.begin();
    this.#mostBlocks = 0;
    this.#nextSlot = -1;
    let best = -1;
    let bestMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const blocks = prefixes.match(prompt, slot, ledger.generation[slot]!);
      if (blocks > this.#mostBlocks) this.#mostBlocks = blocks;
      const ms = this.#costMs(view, slot, prompt, this.#expectedBlocks(view, slot, prompt, blocks));
      this.weighing.take(slot);
      const isBetter = ms < bestMs || (ms === bestMs && this.#random.below(++ties) === 0);
      if (ms < bestMs) ties = 1;
      // Whoever is not the best of the two is the next best, perhaps.
      const otherMs = isBetter ? bestMs : ms;
      if (otherMs < nextMs) {
        nextMs = otherMs;
        this.#nextSlot = isBetter ? best : slot;
      }
      if (!isBetter) continue;
      bestMs = ms;
      best = slot;
    }
    this.#bestMs = bestMs;
    this.#nextMs = nextMs;
    return best;
  }

  placed(view: PoolView, { prompt }: Work, lease: Lease): void {
    if (prompt === null) return;
    const { slot, generation, forecast } = lease;
    const { prefixes } = this.#theBook;
    const blocks = prefixes.match(prompt, slot, generation);
    forecast.isSibling = blocks > 0 && this.#isSibling(view, slot, prompt) ? 1 : 0;
    const expected = this.#expectedBlocks(view, slot, prompt, blocks);
    this.#weighChosen(view, prompt, lease, expected);
    const units = prompt.prefillUnits(prompt.cachedTokens(expected));
    prefixes.expect(prompt, slot, generation, forecast);
    lease.isPrompt = true;
    forecast.blockCount = prompt.blockCount;
    forecast.promptTokens = prompt.tokens;
    forecast.aheadUnits = view.ledger.pendingUnits[slot]! + units;
    forecast.savedUnits = prompt.prefillUnits(0) - units;
    forecast.isStream = prompt.isStream ? 1 : 0;
    forecast.expectedTokens = prompt.cachedTokens(expected);
    if (lease.why === "policy" && this.#nextSlot >= 0) {
      forecast.nextSlot = this.#nextSlot;
      forecast.nextCost = this.#nextMs / this.#bestMs;
    }
    forecast.prefillMs = forecast.aheadUnits * this.#unitMs(slot);
    forecast.heldTokens = prompt.tokens + this.#outputTokens(prompt) / 2;
    lease.units = units;
    lease.scale = (forecast.aheadUnits + FIRST_BYTE_UNITS) / this.#figures.values[FIGURE.aheadUnits]!;
    const most = Math.max(blocks, this.#mostBlocks);
    const seen = prefixes.matchAnywhere(prompt, this.#pool);
    this.#reuse.placed(seen, most, blocks, prompt.blockCount, units * this.#unitMs(slot));
    this.#mostBlocks = 0;
    prefixes.note(prompt, slot, generation, this.#pool);
  }

  began({ slot, forecast, firstByteMs }: LeaseFacts, nowMs: number): void {
    this.#isInUse = true;
    if (forecast.isStream === 0) return;
    this.#learnFirstByte(slot, forecast, firstByteMs, nowMs);
  }

  ended({ slot, forecast, bookedAtMs, firstByteMs }: LeaseFacts, outcome: Outcome, nowMs: number): void {
    const { promptTokens, blockCount, outputTokens } = forecast;
    if (outcome !== "ok") return;
    const told = forecast.toldPromptTokens;
    if (told > 0) this.#learnTokens(promptTokens / told);
    if (outputTokens > 0) {
      this.#figures.fade(FIGURE.outputTokens, outputTokens);
      // What was written is cached, too.
      this.#theBook.prefixes.advance(slot, Math.round((outputTokens / promptTokens) * blockCount));
    }
    if (outputTokens > 1) this.#learnStep(slot, forecast, nowMs - bookedAtMs, firstByteMs, nowMs);
    this.#learnCached(slot, forecast, firstByteMs);
  }

  tended(slots: Int32Array, nowMs: number): void {
    this.#speed?.tend(slots);
    this.#reuse.tend(slots.length, nowMs);
  }

  /** So many times more tokens were thought to be in the prompt than the answer says. */
  #learnTokens(times: number): void {
    const bytes = Math.min(BYTES_PER_TOKEN_MAX, Math.max(BYTES_PER_TOKEN_MIN, this.bytesPerToken * times));
    this.#figures.fade(FIGURE.bytesPerToken, bytes);
  }

  #learnFirstByte(slot: number, { aheadUnits }: Readonly<Forecast>, ms: number, nowMs: number): void {
    this.#figures.fade(FIGURE.aheadUnits, aheadUnits + FIRST_BYTE_UNITS);
    this.#speed ??= new TokenSpeed(this.#theBook, this.#figures);
    this.#speed.observe(slot, aheadUnits, ms, nowMs);
  }

  /** An answer that came as a whole: what its tokens (or loading the model) did not take was its prompt's. */
  #learnStep(
    slot: number,
    forecast: Readonly<Forecast>,
    totalMs: number,
    firstByteMs: number,
    nowMs: number,
  ): void {
    const { outputTokens, decodeMs, loadMs } = forecast;
    const steps = outputTokens - 1;
    if (forecast.isStream === 1) return this.#figures.fade(FIGURE.stepMs, (totalMs - firstByteMs) / steps);
    const prefillMs = (forecast.aheadUnits + FIRST_BYTE_UNITS) * this.#unitMs(slot);
    const isTold = decodeMs <= totalMs;
    this.#figures.fade(FIGURE.stepMs, (isTold ? decodeMs : Math.max(0, totalMs - prefillMs)) / steps);
    const answerMs = isTold ? decodeMs : steps * this.#figures.values[FIGURE.stepMs]!;
    const restMs = totalMs - answerMs - (loadMs <= totalMs ? loadMs : 0);
    if (restMs > 0) this.#learnFirstByte(slot, forecast, restMs, nowMs);
  }

  #learnCached(slot: number, forecast: Readonly<Forecast>, firstByteMs: number): void {
    const { blockCount, matchedBlocks, cachedTokens, promptTokens, toldPromptTokens } = forecast;
    if (Number.isNaN(cachedTokens)) return this.#inferCached(slot, forecast, firstByteMs);
    const all = toldPromptTokens > 0 ? toldPromptTokens : promptTokens;
    const cachedBlocks = Math.min(blockCount, Math.round((cachedTokens / all) * blockCount));
    if (forecast.isSibling === 0) this.#theBook.prefixes.learn(slot, forecast, cachedBlocks);
    else this.#figures.fade(FIGURE.siblingShare, Math.min(1, cachedBlocks / matchedBlocks));
  }

  /** Nobody says what was cached: a first byte shows it where a hit makes a great difference. */
  #inferCached(slot: number, forecast: Readonly<Forecast>, firstByteMs: number): void {
    const { matchedBlocks, isSibling, isStream, aheadUnits, savedUnits } = forecast;
    if (matchedBlocks === 0 || isSibling === 1 || isStream === 0 || savedUnits < INFERRED_UNITS_MIN) return;
    if (savedUnits < aheadUnits) return;
    const sparedMs = savedUnits * this.#unitMs(slot);
    const expectedMs = (aheadUnits + FIRST_BYTE_UNITS) * this.#unitMs(slot);
    const wasCached = firstByteMs < expectedMs + sparedMs / 2;
    this.#theBook.prefixes.learn(slot, forecast, wasCached ? matchedBlocks : 0);
  }

  /** Where a session or a trial has decided nobody was weighed; and among many equals he may be missing. */
  #weighChosen(view: PoolView, prompt: Prompt, lease: Lease, blocks: number): void {
    const { weighing } = this;
    if (lease.why !== "policy") {
      view.ledger.refreshHeld(view.candidates, view.count);
      weighing.begin();
    }
    if (!weighing.holds(lease.slot)) {
      this.#costMs(view, lease.slot, prompt, blocks);
      weighing.keep(lease.slot);
    }
    weighing.lease = lease;
  }

  /** Also writes its parts down: see `Weighing.next`. */
  #costMs({ ledger }: PoolView, slot: number, prompt: Prompt, blocks: number): number {
    const figures = this.#figures.values;
    const unitMs = this.#unitMs(slot);
    const cachedTokens = prompt.cachedTokens(blocks);
    const units = prompt.prefillUnits(cachedTokens);
    // Whoever failed faster than work takes looks as if it had nothing to do (P3).
    const waitingUnits = ledger.pendingUnits[slot]! + ledger.burden[slot]! * figures[FIGURE.aheadUnits]!;
    // Answers there stand still while the prompt is computed; those that wait will run by then.
    const standStill = (ledger.inFlight[slot]! * (1 + prompt.tokens * PATIENCE_PER_TOKEN)) / PATIENT_ANSWERS;
    const dearer = (1 + figures[FIGURE.surcharge]!) * (1 + standStill);
    const contextTokens = ledger.heldUnits[slot]! + prompt.tokens;
    const decodeUnits = contextTokens * CONTEXT_UNITS * this.#outputTokens(prompt) * DECODE_SHARE;
    const ms = ((waitingUnits + units * dearer + decodeUnits) * unitMs) / ledger.weight[slot]!;
    const parts = this.weighing.figures;
    const at = this.weighing.next;
    const scale = unitMs / ledger.weight[slot]!;
    const dearUnits = units * (1 + figures[FIGURE.surcharge]!);
    parts[at + COST.costMs] = ms;
    parts[at + COST.waitingMs] = waitingUnits * scale;
    parts[at + COST.prefillMs] = units * scale;
    parts[at + COST.surchargeMs] = (dearUnits - units) * scale;
    parts[at + COST.standStillMs] = dearUnits * standStill * scale;
    parts[at + COST.contextMs] = decodeUnits * scale;
    parts[at + COST.cachedTokens] = cachedTokens;
    parts[at + COST.inFlight] = ledger.inFlight[slot]!;
    return ms;
  }

  /** What matched is cached, if it is not only being computed: engines differ in what they share of that. */
  #expectedBlocks(view: PoolView, slot: number, prompt: Prompt, blocks: number): number {
    if (blocks === 0 || !this.#isSibling(view, slot, prompt)) return blocks;
    return blocks * this.#figures.values[FIGURE.siblingShare]!;
  }

  /** After a match for that slot: the last block that matched came with a prompt that still waits there. */
  #isSibling({ ledger }: PoolView, slot: number, prompt: Prompt): boolean {
    const pendingUnits = ledger.pendingUnits[slot]!;
    return pendingUnits > 0 && this.#theBook.prefixes.matchDepth(slot) * prompt.blockTokens <= pendingUnits;
  }

  #unitMs(slot: number): number {
    const known = this.#theBook.unitMs[slot]!;
    return known > 0 ? known : this.#figures.values[FIGURE.unitMs]!;
  }

  #outputTokens({ outputTokensMax }: Prompt): number {
    const usual = this.#figures.values[FIGURE.outputTokens]!;
    return outputTokensMax > 0 && outputTokensMax < usual ? outputTokensMax : usual;
  }

  get #theBook(): PromptBook {
    this.#book ??= new PromptBook(PromptBook.memory(this.#slotsMax, false));
    return this.#book;
  }
}

/** What is beyond says nothing of text: a prompt of pictures, an answer that counts otherwise. */
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 16;
/** A hit that saves less is not to be seen in a first byte. */
const INFERRED_UNITS_MIN = 2_000;
/**
 * How many answers that stand still for a time weigh as much as one prompt that waits for it: an answer has a
 * reader who is busy for some time yet. A long prompt is more patient, as its sender knows that it takes
 * time.
 */
const PATIENT_ANSWERS = 80;
const PATIENCE_PER_TOKEN = 1 / 8_000;
/**
 * A held token beside a new one, in a step: 8.2e-8 s beside 6.65e-5 s for an 8B model on an A100 (Vidur's
 * profile). Three times more or less changes little; none at all, or ten times more, costs goodput.
 */
const CONTEXT_UNITS = 1 / 811;
/** How much of the time that an answer takes counts beside the time until it begins. */
const DECODE_SHARE = 0.3;
