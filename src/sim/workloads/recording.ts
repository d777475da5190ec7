import { momentS } from "./moment.ts";
import type { TraceRow } from "./trace-text.ts";

/** What one line of an access log says of a request that a model has answered. */
export interface RecordedRequest extends TraceRow {
  /** Tokens of each of its blocks; whole, 1 or more. */
  readonly blockTokens: number;
  /** From the request to the first token; NaN where it is not known: the answer came as a whole. */
  readonly ttftS: number;
  /** From the request to the end of the answer. */
  readonly totalS: number;
  /** Of the prompt, as the engine said; NaN where it did not. */
  readonly cachedTokens: number;
}

/** An access log as far as it can be simulated. */
export interface Recording {
  /** In the order of arrival. */
  readonly requests: readonly RecordedRequest[];
  /** Lines that are not empty. */
  readonly lines: number;
  /** Of these, how many could not be used, by reason. */
  readonly skipped: Readonly<Record<SkipReason, number>>;
  /** Requests of which no prefix is known. */
  readonly withoutBlocks: number;
  /** Different backends that have answered. */
  readonly backends: number;
}

/** Why a line is not simulated. */
export type SkipReason =
  /** It is no JSON, or has no `time` and `total_ms`. */
  | "unreadable"
  /** It was not answered by a backend: refused, given up, broken off. */
  | "unanswered"
  /** It has no `prompt_tokens` or no `output_tokens`: no LLM request, or an engine that tells no usage. */
  | "without_tokens";

/**
 * Reads Evener's access log: of each line `time` (of its end), `total_ms`, `first_token_ms`, `status`,
 * `reason`, `backend`, `prompt_tokens`, `cached_tokens`, `output_tokens`, `prompt_blocks` and `block_tokens`.
 * Throws RangeError when no line could be used.
 */
export function parseRecording(text: string, requestsMax: number = Number.POSITIVE_INFINITY): Recording {
  const skipped: Record<SkipReason, number> = { unreadable: 0, unanswered: 0, without_tokens: 0 };
  const requests: RecordedRequest[] = [];
  const backends = new Set<unknown>();
  let lines = 0;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    lines++;
    const fields = fieldsOf(line);
    const read = fields === null ? "unreadable" : readRequest(fields);
    if (typeof read === "string") {
      skipped[read]++;
      continue;
    }
    requests.push(read);
    backends.add(fields!["backend"]);
  }
  if (requests.length === 0) {
    const found = `${lines} line${lines === 1 ? "" : "s"}, none with prompt_tokens and output_tokens`;
    throw new RangeError(`there is no request in it that could be simulated: ${found}`);
  }
  requests.sort((a, b) => a.atS - b.atS);
  const startS = requests[0]!.atS;
  const used = requests.slice(0, requestsMax).map((one) => ({ ...one, atS: one.atS - startS }));
  return {
    requests: used,
    lines,
    skipped,
    withoutBlocks: used.filter(({ blocks }) => blocks.length === 0).length,
    backends: backends.size,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function readRequest(fields: Fields): RecordedRequest | SkipReason {
  const endS = typeof fields["time"] === "string" ? momentS(fields["time"]) : null;
  const totalS = secondsOf(fields["total_ms"]);
  if (endS === null || Number.isNaN(totalS)) return "unreadable";
  const status = fields["status"];
  if (fields["reason"] !== "ok" || typeof status !== "number" || status >= 400) return "unanswered";
  const inputTokens = countOf(fields["prompt_tokens"]);
  const outputTokens = countOf(fields["output_tokens"]);
  if (inputTokens < 1 || outputTokens < 1) return "without_tokens";
  const blocks = blocksOf(fields["prompt_blocks"]);
  const blockTokens = blockTokensOf(fields["block_tokens"], blocks.length, inputTokens);
  const cached = countOf(fields["cached_tokens"]);
  return {
    atS: endS - totalS,
    inputTokens,
    outputTokens,
    blocks: blocks.slice(0, Math.ceil(inputTokens / blockTokens)),
    blockTokens,
    cachedTokens: cached < 0 ? Number.NaN : cached,
    ttftS: secondsOf(fields["first_token_ms"]),
    totalS,
  };
}

/** Hashes of the prompt up to the end of each block: base64 of 32-bit numbers, little-endian. */
function blocksOf(value: unknown): number[] {
  if (typeof value !== "string") return [];
  let bytes: string;
  try {
    bytes = atob(value);
  } catch {
    return [];
  }
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, block) => {
    let number = 0;
    for (let i = 3; i >= 0; i--) number = number * 256 + bytes.charCodeAt(4 * block + i);
    return number;
  });
}

/**
 * What the log says is estimated from bytes. Blocks are full and cover the prompt but for less than one, so
 * the engine's count over their number is nearer to the truth, unless the log has cut them off.
 */
function blockTokensOf(estimated: unknown, blocks: number, inputTokens: number): number {
  const counted = inputTokens / (blocks + 0.5);
  const isKnown = typeof estimated === "number" && estimated > 0 && estimated <= TOKENS_MAX;
  const isCut = isKnown && counted > ESTIMATE_FACTOR_MAX * estimated;
  return Math.max(1, Math.round(isCut ? estimated : counted));
}

/** A whole number of tokens; -1 where there is none. */
function countOf(value: unknown): number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TOKENS_MAX
    ? (value as number)
    : -1;
}

function secondsOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value / 1000 : Number.NaN;
}

const TOKENS_MAX = 2 ** 24;
/** No text has so many more tokens a byte than was estimated. */
const ESTIMATE_FACTOR_MAX = 2;
