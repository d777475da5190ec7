// Hot path: numbers are read.
import type { PolicyKit, PolicyMemory } from "../policies/policy.ts";
import type { Prompt } from "../prompt.ts";
import { PromptBook } from "./prompt-book.ts";
import { FIGURE, PromptFigures } from "./prompt-figures.ts";

/** What placing prompts and learning from them have in common: figures of the pool, and of each endpoint. */
export class PromptKnowledge {
  readonly memory: PolicyMemory;
  readonly figures: PromptFigures;
  readonly #slotsMax: number;
  /** What is shared is another thread's to clear. */
  readonly #isOwner: boolean;
  /** Made with the first prompt, where nobody has one for all pools. */
  #book: PromptBook | null;

  constructor(kit: PolicyKit) {
    this.figures = new PromptFigures(kit.memory ?? PromptFigures.memory(kit.isShared ?? false));
    this.memory = this.figures.memory;
    this.#slotsMax = kit.slotsMax;
    this.#isOwner = kit.memory === undefined;
    this.#book = kit.prompts ?? null;
  }

  get book(): PromptBook {
    this.#book ??= new PromptBook(PromptBook.memory(this.#slotsMax, false));
    return this.#book;
  }

  get bytesPerToken(): number {
    return this.figures.values[FIGURE.bytesPerToken]!;
  }

  /** The slot is another's from now on. */
  forget(slot: number): void {
    if (this.#isOwner) this.#book?.prefixes.forget(slot);
  }

  /** Somebody's answers have shown how fast that endpoint is, or its peers; else it is a prior. */
  isSpeedKnown(slot: number): boolean {
    return this.book.unitMs[slot]! > 0;
  }

  /** Milliseconds for a unit. */
  unitMs(slot: number): number {
    const known = this.book.unitMs[slot]!;
    return known > 0 ? known : this.figures.values[FIGURE.unitMs]!;
  }

  /** Tokens that its answer will have. */
  outputTokens({ outputTokensMax }: Prompt): number {
    const usual = this.figures.values[FIGURE.outputTokens]!;
    return outputTokensMax > 0 && outputTokensMax < usual ? outputTokensMax : usual;
  }
}
