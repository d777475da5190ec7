// Hot path: numbers and short texts; the array of hashes grows by doubling.
import { NO_KEY } from "../../core/work.ts";

/** How far a body has been understood. */
export type ScanState = "reading" | "complete" | "unreadable";

const BLOCKS_FIRST = 32;

/**
 * What a request's body says of the work it brings. Belongs to its scan, which uses it again for the next
 * body: whoever needs something for longer copies it.
 */
export class RequestFacts {
  /** `unreadable` is no JSON object (any more): what was read until then stays. */
  state: ScanState = "reading";

  /** "" is none. */
  model = "";
  /** What it is called for the backend; "" where that is the same. */
  upstreamModel = "";
  /** Bytes of the body between which the JSON string of the model stands, quotes included; -1 is none. */
  modelStart = -1;
  modelEnd = -1;
  /** The adapter, where it is named apart from the model; "" is none. */
  adapter = "";

  /** The answer comes piece by piece. */
  isStreamed = false;
  /** `stream_options.include_usage`: null says nothing. */
  includesUsage: boolean | null = null;
  /** Tokens that the answer may have; 0 says nothing. */
  outputTokensMax = 0;
  /** Answers that are asked for (`n`). */
  choices = 1;
  /** As the engine takes it: whether more or less goes first is the engine's. null says nothing. */
  priority: number | null = null;
  /** The answer is to be kept by the backend (`store`); null says nothing. */
  store: boolean | null = null;

  /** Text of the prompt with all that goes before it, in bytes of JSON; without media and token ids. */
  promptBytes = 0;
  /** Tokens that came as numbers. */
  tokenIds = 0;
  /** Images, sounds, videos and files. */
  mediaParts = 0;
  /** All of it in tokens, estimated. */
  promptTokens = 0;
  /** Tokens that one block stands for, on the average of this prompt; 0 when it is empty. */
  blockTokens = 0;

  /** Hashes as of `hashText`, or {@link NO_KEY}. */
  user: number = NO_KEY;
  metadataUser: number = NO_KEY;
  cacheKey: number = NO_KEY;
  previousResponse: number = NO_KEY;
  conversation: number = NO_KEY;
  session: number = NO_KEY;

  /** Two lanes for each block, of which the first {@link blockCount} are this prompt's. */
  blocks: Uint32Array = new Uint32Array(2 * BLOCKS_FIRST);
  blockCount = 0;

  reset(): void {
    this.state = "reading";
    this.model = "";
    this.upstreamModel = "";
    this.modelStart = -1;
    this.modelEnd = -1;
    this.adapter = "";
    this.isStreamed = false;
    this.includesUsage = null;
    this.outputTokensMax = 0;
    this.choices = 1;
    this.priority = null;
    this.store = null;
    this.promptBytes = 0;
    this.tokenIds = 0;
    this.mediaParts = 0;
    this.promptTokens = 0;
    this.blockTokens = 0;
    this.user = NO_KEY;
    this.metadataUser = NO_KEY;
    this.cacheKey = NO_KEY;
    this.previousResponse = NO_KEY;
    this.conversation = NO_KEY;
    this.session = NO_KEY;
    this.blockCount = 0;
  }

  /** {@link blocks} with room for so many. */
  blocksFor(count: number): Uint32Array {
    if (this.blocks.length < 2 * count) {
      let length = this.blocks.length;
      while (length < 2 * count) length *= 2;
      this.blocks = new Uint32Array(length);
    }
    this.blockCount = count;
    return this.blocks;
  }
}
