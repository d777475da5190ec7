// Hot path: each byte of a section is hashed once; nothing is kept of it.
import { combine, hashText, hashTextWide } from "../../core/kit/hash.ts";
import { NO_KEY } from "../../core/work.ts";
import { BLOCK_BYTES, BLOCKS_MAX, BlockChain, FILL_BYTES_MAX } from "./block-chain.ts";
import type { RequestFacts } from "./request-facts.ts";
import { ROLE, SECTIONS } from "./role.ts";

/** Tokens that an image, a sound or a file is taken for: LLaVA has 576, others 1,500 for a large picture. */
export const MEDIA_TOKENS = 1024;
/** Its length in the chain: that of text with as many tokens. */
const MEDIA_BYTES = FILL_BYTES_MAX;

/**
 * Counts and hashes the sections of a body: the prompt in blocks, others in one hash each, which ends up in
 * the hash of every block, so that the order of keys does not matter.
 */
export class PromptSections {
  readonly #chain = new BlockChain(BLOCKS_MAX);
  readonly #digest = new BlockChain(0);
  readonly #media = new BlockChain(0);
  readonly #bytes = new Float64Array(SECTIONS + 1);
  readonly #ids = new Float64Array(SECTIONS + 1);
  readonly #parts = new Float64Array(SECTIONS + 1);
  readonly #low = new Int32Array(SECTIONS + 1);
  readonly #high = new Int32Array(SECTIONS + 1);
  #open = 0;
  #isInMedia = false;

  reset(): void {
    for (let section = 1; section <= SECTIONS; section++) this.drop(section);
    this.#open = 0;
    this.#isInMedia = false;
  }

  /** Forgets a section: its key has come a second time. */
  drop(section: number): void {
    if (section === ROLE.prompt) this.#chain.reset();
    this.#bytes[section] = 0;
    this.#ids[section] = 0;
    this.#parts[section] = 0;
    this.#low[section] = 0;
    this.#high[section] = 0;
  }

  /** What is fed from now on belongs to `section`, which was dropped before. */
  begin(section: number): void {
    this.#open = section;
    if (section !== ROLE.prompt) this.#digest.reset();
  }

  feed(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isInMedia) {
      this.#media.feed(bytes, from, to);
      return;
    }
    if (this.#open !== ROLE.media) this.#bytes[this.#open]! += to - from;
    (this.#open === ROLE.prompt ? this.#chain : this.#digest).feed(bytes, from, to);
  }

  /** Token ids, which were or will be fed as text, too. */
  addIds(count: number): void {
    this.#ids[this.#open]! += count;
  }

  addPart(): void {
    this.#parts[this.#open]!++;
  }

  /** In the prompt an image stands for as many tokens as it has, not for the bytes of its base64. */
  beginMedia(): void {
    this.#media.reset();
    this.#isInMedia = true;
    this.addPart();
  }

  endMedia(): void {
    this.#isInMedia = false;
    this.#chain.fill(this.#media.low, this.#media.high, MEDIA_BYTES);
  }

  end(): void {
    this.#keepDigest();
    this.#open = 0;
  }

  /** Fills in sizes and hashes; what is open is taken as it is. `seed` tells models and tenants apart. */
  finish(facts: RequestFacts, bytesPerToken: number, tenant: number): void {
    this.#keepDigest();
    let text = 0;
    let ids = 0;
    let parts = 0;
    let before = 0;
    for (let section = ROLE.prompt; section <= ROLE.media; section++) {
      ids += this.#ids[section]!;
      parts += this.#parts[section]!;
      // Who sends tokens has no text.
      if (this.#ids[section] === 0) text += this.#bytes[section]!;
      if (section !== ROLE.prompt) before += this.#bytes[section]! + MEDIA_BYTES * this.#parts[section]!;
    }
    facts.promptBytes = text;
    facts.tokenIds = ids;
    facts.mediaParts = parts;
    facts.promptTokens = Math.ceil(text / bytesPerToken) + ids + MEDIA_TOKENS * parts;
    const length = before + this.#chain.bytes;
    facts.blockTokens = length === 0 ? 0 : (facts.promptTokens * BLOCK_BYTES) / length;
    this.#fillBlocks(facts, Math.floor(before / BLOCK_BYTES), tenant);
  }

  #keepDigest(): void {
    if (this.#open === 0 || this.#open === ROLE.prompt) return;
    this.#low[this.#open] = this.#digest.low;
    this.#high[this.#open] = this.#digest.high;
  }

  /**
   * First blocks for what goes before the prompt, all or none of which are equal in two requests: else a long
   * system text before a short question would have no block at all.
   */
  #fillBlocks(facts: RequestFacts, blocksBefore: number, tenant: number): void {
    const model = hashTextWide(facts.upstreamModel === "" ? facts.model : facts.upstreamModel);
    const adapter = facts.adapter === "" ? 0 : hashText(facts.adapter);
    let low = combine(combine(model >>> 0, adapter), tenant === NO_KEY ? 0 : tenant ^ TENANT);
    let high = combine(combine(Math.floor(model / 0x1_0000_0000), adapter ^ TENANT), tenant);
    for (let section = ROLE.system; section <= SECTIONS; section++) {
      low = combine(low, this.#low[section]!);
      high = combine(high, this.#high[section]!);
    }
    const before = Math.min(BLOCKS_MAX, blocksBefore);
    const count = Math.min(BLOCKS_MAX, before + this.#chain.count);
    const blocks = facts.blocksFor(count);
    const states = this.#chain.states;
    for (let i = 0; i < before; i++) {
      blocks[2 * i] = combine(low ^ BEFORE, i);
      blocks[2 * i + 1] = combine(high ^ BEFORE, i);
    }
    for (let i = before, from = 0; i < count; i++, from += 2) {
      blocks[2 * i] = combine(low, states[from]!);
      blocks[2 * i + 1] = combine(high, states[from + 1]!);
    }
  }
}

const TENANT = 0x51ed270b;
const BEFORE = 0x2127599b;
