// Hot path: log2 of the prompt's blocks an endpoint; allocates nothing.
import type { Random } from "../kit/random.ts";
import type { Lease, LeaseFacts, Outcome } from "../lease.ts";
import type { Ledger } from "../ledger.ts";
import type { Policy, PolicyKit, PolicyMemory, PoolView } from "../policies/policy.ts";
import type { Prompt } from "../prompt.ts";
import type { Work } from "../work.ts";
import { FIGURE, type PromptFigures } from "./prompt-figures.ts";
import { PromptKnowledge } from "./prompt-knowledge.ts";
import { PromptLessons } from "./prompt-lessons.ts";
import { Reuse } from "./reuse.ts";
import { FIRST_BYTE_UNITS } from "./token-speed.ts";
import { COST, Weighing } from "./weighing.ts";

/**
 * Places prompts where they cost all users least, in milliseconds, and whatever is no prompt as another
 * policy does. The formula and its reasons: docs/policies/inference.md.
 */
export class PromptPlacement implements Policy {
  readonly memory: PolicyMemory;
  readonly weighing: Weighing = new Weighing();
  readonly #random: Random;
  readonly #knowledge: PromptKnowledge;
  readonly #figures: PromptFigures;
  readonly #pool: number;
  readonly #otherwise: Policy;
  readonly #reuse: Reuse;
  readonly #lessons: PromptLessons;
  /** Of the last pick: the most blocks that anybody has cached, and the two best. */
  #mostBlocks = 0;
  #bestMs = 0;
  #nextMs = 0;
  #nextSlot = -1;

  constructor(kit: PolicyKit, otherwise: Policy) {
    this.#knowledge = new PromptKnowledge(kit);
    this.#figures = this.#knowledge.figures;
    this.memory = this.#knowledge.memory;
    this.#random = kit.random;
    this.#pool = kit.pool ?? 0;
    this.#otherwise = otherwise;
    this.#reuse = new Reuse(this.#figures);
    this.#lessons = new PromptLessons(this.#knowledge, this.#reuse);
  }

  /** Where prompts are placed, speed is weighed in every choice. */
  get knowsSpeed(): boolean {
    return this.#lessons.isInUse;
  }

  get bytesPerToken(): number {
    return this.#knowledge.bytesPerToken;
  }

  joined(slot: number, id: string): void {
    this.#otherwise.joined?.(slot, id);
    this.#lessons.joined(slot);
    this.#knowledge.forget(slot);
  }

  pick(view: PoolView, work: Work): number {
    const { prompt } = work;
    if (prompt === null) return this.#otherwise.pick(view, work);
    const { prefixes } = this.#knowledge.book;
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
    const { prefixes } = this.#knowledge.book;
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
    forecast.prefillMs = forecast.aheadUnits * this.#knowledge.unitMs(slot);
    forecast.firstSignMs = this.#firstSignMs(slot, prompt, forecast.aheadUnits);
    forecast.isGuess = this.#knowledge.isSpeedKnown(slot) ? 0 : 1;
    forecast.heldTokens = prompt.tokens + this.#knowledge.outputTokens(prompt) / 2;
    lease.units = units;
    lease.scale = (forecast.aheadUnits + FIRST_BYTE_UNITS) / this.#figures.values[FIGURE.aheadUnits]!;
    const most = Math.max(blocks, this.#mostBlocks);
    const seen = prefixes.matchAnywhere(prompt, this.#pool);
    this.#reuse.placed(seen, most, blocks, prompt.blockCount, units * this.#knowledge.unitMs(slot));
    this.#mostBlocks = 0;
    prefixes.note(prompt, slot, generation, this.#pool);
  }

  isSooner(view: PoolView, work: Work, { slot, forecast, bookedAtMs }: Lease): boolean {
    const { prompt } = work;
    const there = prompt === null ? -1 : this.pick(view, work);
    // The next prompt is not this one.
    this.#mostBlocks = 0;
    if (prompt === null || there < 0) return false;
    const { ledger } = view;
    const blocks = this.#knowledge.book.prefixes.match(prompt, there, ledger.generation[there]!);
    const cachedTokens = prompt.cachedTokens(this.#expectedBlocks(view, there, prompt, blocks));
    const thereMs = this.#firstSignMs(
      there,
      prompt,
      this.#waitingUnits(ledger, there) + prompt.prefillUnits(cachedTokens),
    );
    const leftUnits = Math.min(forecast.aheadUnits, ledger.pendingUnits[slot]!);
    const leftMs = leftUnits * this.#knowledge.unitMs(slot);
    // Where nothing is heard, what took so much longer than was thought may take as much again.
    const overdueMs = view.nowMs - bookedAtMs - forecast.firstSignMs;
    const silentMs = view.nowMs - Math.max(bookedAtMs, ledger.heardAtMs[slot]!);
    return thereMs * SOONER_TIMES < Math.max(leftMs, Math.min(overdueMs, silentMs));
  }

  began(lease: LeaseFacts, nowMs: number): void {
    this.#lessons.began(lease, nowMs);
  }

  ended(lease: LeaseFacts, outcome: Outcome, nowMs: number): void {
    this.#lessons.ended(lease, outcome, nowMs);
  }

  tended(slots: Int32Array, nowMs: number): void {
    this.#lessons.tended(slots, nowMs);
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
    const unitMs = this.#knowledge.unitMs(slot);
    const cachedTokens = prompt.cachedTokens(blocks);
    const units = prompt.prefillUnits(cachedTokens);
    const waitingUnits = this.#waitingUnits(ledger, slot);
    // Answers there stand still while the prompt is computed; those that wait will run by then.
    const standStill = (ledger.inFlight[slot]! * (1 + prompt.tokens * PATIENCE_PER_TOKEN)) / PATIENT_ANSWERS;
    const dearer = (1 + figures[FIGURE.surcharge]!) * (1 + standStill);
    const contextTokens = ledger.heldUnits[slot]! + prompt.tokens;
    const decodeUnits = contextTokens * CONTEXT_UNITS * this.#knowledge.outputTokens(prompt) * DECODE_SHARE;
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

  /** Whoever failed faster than work takes looks as if it had nothing to do (P3). */
  #waitingUnits({ pendingUnits, burden }: Ledger, slot: number): number {
    return pendingUnits[slot]! + burden[slot]! * this.#figures.values[FIGURE.aheadUnits]!;
  }

  /** Until a first byte behind so many units; Infinity for an answer that comes as a whole, however long. */
  #firstSignMs(slot: number, prompt: Prompt, aheadUnits: number): number {
    const firstTokenMs = (aheadUnits + FIRST_BYTE_UNITS) * this.#knowledge.unitMs(slot);
    if (prompt.isStream) return firstTokenMs;
    const { outputTokensMax } = prompt;
    if (outputTokensMax === 0) return Number.POSITIVE_INFINITY;
    return firstTokenMs + outputTokensMax * this.#figures.values[FIGURE.stepMs]!;
  }

  /** What matched is cached, if it is not only being computed: engines differ in what they share of that. */
  #expectedBlocks(view: PoolView, slot: number, prompt: Prompt, blocks: number): number {
    if (blocks === 0 || !this.#isSibling(view, slot, prompt)) return blocks;
    return blocks * this.#figures.values[FIGURE.siblingShare]!;
  }

  /** After a match for that slot: the last block that matched came with a prompt that still waits there. */
  #isSibling({ ledger }: PoolView, slot: number, prompt: Prompt): boolean {
    const pendingUnits = ledger.pendingUnits[slot]!;
    return (
      pendingUnits > 0 && this.#knowledge.book.prefixes.matchDepth(slot) * prompt.blockTokens <= pendingUnits
    );
  }
}

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
/** Another one has to be so much sooner: what is moved has to be computed anew, and both may be wrong. */
const SOONER_TIMES = 1.5;
