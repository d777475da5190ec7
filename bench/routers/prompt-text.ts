import { Random } from "../../src/core/kit/random.ts";
import type { SimRequest } from "../../src/sim/router.ts";

/** What routers that count bytes take for a token: prompts are as long here as they were recorded. */
export const BYTES_PER_TOKEN = 4;

/**
 * The prompt of a request as a text in which a token is a word of three letters and a blank. Equal blocks are
 * equal texts and others differ from their first words on, so that a router that compares texts sees the
 * prefixes that were recorded.
 */
export function promptText({ blocks, blockTokens, inputTokens }: SimRequest): string {
  const texts = blocks.map((block) => blockText(block, blockTokens));
  return texts.join("").slice(0, inputTokens * BYTES_PER_TOKEN);
}

/** The words of one block, drawn from its number. */
export function blockText(block: number, blockTokens: number): string {
  const random = new Random(block);
  let text = "";
  for (let token = 0; token < blockTokens; token++) text += WORDS[random.below(WORDS.length)]!;
  return text;
}

/**
 * The engine's side: knows blocks again by their text, as an engine knows them by their tokens, and numbers
 * them in the order in which it meets them. A block is its text and all that was before it.
 */
export class PromptReader {
  readonly #blockBytes: number;
  readonly #numbers: Map<string, number> = new Map();

  constructor(blockTokens: number) {
    this.#blockBytes = blockTokens * BYTES_PER_TOKEN;
  }

  /** Tokens of the prompt and a number for each of its blocks, the last of which may be a part of one. */
  read(text: string): { readonly inputTokens: number; readonly blocks: readonly number[] } {
    const blocks: number[] = [];
    let parent = -1;
    for (let at = 0; at < text.length; at += this.#blockBytes) {
      parent = this.#numberOf(`${parent} ${text.slice(at, at + this.#blockBytes)}`);
      blocks.push(parent);
    }
    return { inputTokens: Math.max(1, Math.ceil(text.length / BYTES_PER_TOKEN)), blocks };
  }

  #numberOf(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(key, number);
    return number;
  }
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");
const WORDS: readonly string[] = LETTERS.flatMap((a) =>
  LETTERS.flatMap((b) => LETTERS.map((c) => `${a}${b}${c} `)),
);
