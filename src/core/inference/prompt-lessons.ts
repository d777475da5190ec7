import type { Forecast } from "../forecast.ts";
import type { LeaseFacts, Outcome } from "../lease.ts";
import { FIGURE, type PromptFigures } from "./prompt-figures.ts";
import type { PromptKnowledge } from "./prompt-knowledge.ts";
import type { Reuse } from "./reuse.ts";
import { FIRST_BYTE_UNITS, TokenSpeed } from "./token-speed.ts";

/** What the answers to prompts teach: speeds, lengths, and what caches hold. Where pools are kept. */
export class PromptLessons {
  readonly #knowledge: PromptKnowledge;
  readonly #figures: PromptFigures;
  readonly #reuse: Reuse;
  #speed: TokenSpeed | null = null;
  /** Prompts come here. */
  isInUse = false;

  constructor(knowledge: PromptKnowledge, reuse: Reuse) {
    this.#knowledge = knowledge;
    this.#figures = knowledge.figures;
    this.#reuse = reuse;
  }

  began({ slot, forecast, firstByteMs }: LeaseFacts, nowMs: number): void {
    this.isInUse = true;
    if (forecast.isStream === 0) return;
    this.#learnFirstByte(slot, forecast, firstByteMs, nowMs);
  }

  ended(lease: LeaseFacts, outcome: Outcome, nowMs: number): void {
    if (outcome === "late") return this.#learnLate(lease, nowMs);
    if (outcome === "ok") this.#learnAnswer(lease, nowMs);
  }

  #learnAnswer({ slot, forecast, bookedAtMs, firstByteMs }: LeaseFacts, nowMs: number): void {
    const { promptTokens, blockCount, outputTokens } = forecast;
    const told = forecast.toldPromptTokens;
    if (told > 0) this.#learnTokens(promptTokens / told);
    if (outputTokens > 0) {
      this.#figures.fade(FIGURE.outputTokens, outputTokens);
      // What was written is cached, too.
      this.#knowledge.book.prefixes.advance(slot, Math.round((outputTokens / promptTokens) * blockCount));
    }
    if (outputTokens > 1) this.#learnStep(slot, forecast, nowMs - bookedAtMs, firstByteMs, nowMs);
    this.#learnCached(slot, forecast, firstByteMs);
  }

  tended(slots: Int32Array, nowMs: number): void {
    this.#speed?.tend(slots);
    this.#reuse.tend(slots.length, nowMs);
  }

  /** The slot is another's from now on. */
  joined(slot: number): void {
    this.#speed?.forget(slot);
  }

  /** So many times more tokens were thought to be in the prompt than the answer says. */
  #learnTokens(times: number): void {
    const bytes = Math.min(
      BYTES_PER_TOKEN_MAX,
      Math.max(BYTES_PER_TOKEN_MIN, this.#knowledge.bytesPerToken * times),
    );
    this.#figures.fade(FIGURE.bytesPerToken, bytes);
  }

  /** It was given up: its first byte would have come later still. Where nobody is known that says nothing. */
  #learnLate({ slot, forecast, bookedAtMs }: LeaseFacts, nowMs: number): void {
    if (forecast.isStream === 0 || !this.#knowledge.isSpeedKnown(slot)) return;
    const waitedMs = nowMs - bookedAtMs;
    const expectedMs = (forecast.aheadUnits + FIRST_BYTE_UNITS) * this.#knowledge.unitMs(slot);
    if (waitedMs > expectedMs) this.#learnFirstByte(slot, forecast, waitedMs, nowMs);
  }

  #learnFirstByte(slot: number, { aheadUnits }: Readonly<Forecast>, ms: number, nowMs: number): void {
    this.#figures.fade(FIGURE.aheadUnits, aheadUnits + FIRST_BYTE_UNITS);
    this.#speed ??= new TokenSpeed(this.#knowledge.book, this.#figures);
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
    const prefillMs = (forecast.aheadUnits + FIRST_BYTE_UNITS) * this.#knowledge.unitMs(slot);
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
    if (forecast.isSibling === 0) this.#knowledge.book.prefixes.learn(slot, forecast, cachedBlocks);
    else this.#figures.fade(FIGURE.siblingShare, Math.min(1, cachedBlocks / matchedBlocks));
  }

  /** Nobody says what was cached: a first byte shows it where a hit makes a great difference. */
  #inferCached(slot: number, forecast: Readonly<Forecast>, firstByteMs: number): void {
    const { matchedBlocks, isSibling, isStream, aheadUnits, savedUnits } = forecast;
    if (matchedBlocks === 0 || isSibling === 1 || isStream === 0 || savedUnits < INFERRED_UNITS_MIN) return;
    if (savedUnits < aheadUnits) return;
    const sparedMs = savedUnits * this.#knowledge.unitMs(slot);
    const expectedMs = (aheadUnits + FIRST_BYTE_UNITS) * this.#knowledge.unitMs(slot);
    const wasCached = firstByteMs < expectedMs + sparedMs / 2;
    this.#knowledge.book.prefixes.learn(slot, forecast, wasCached ? matchedBlocks : 0);
  }
}

/** What is beyond says nothing of text: a prompt of pictures, an answer that counts otherwise. */
const BYTES_PER_TOKEN_MIN = 0.5;
const BYTES_PER_TOKEN_MAX = 16;
/** A hit that saves less is not to be seen in a first byte. */
const INFERRED_UNITS_MIN = 2_000;
