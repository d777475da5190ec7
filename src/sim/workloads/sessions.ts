import { Random } from "../../core/kit/random.ts";
import type { NumberedTrace } from "./trace.ts";
import type { Trace, TraceRow } from "./trace-text.ts";

/**
 * Gives rows without prefixes the shape of conversations: a request whose prompt is longer than what an
 * earlier conversation has come to (prompt and answer) goes on with it, if one fits; the longest such. The
 * common part is the earlier prompt, in full blocks. Made up, and always the same for the same trace.
 */
export function withSessions(trace: Trace): NumberedTrace {
  const random = new Random(SEED);
  const sessions = new Int32Array(trace.rows.length);
  const open: Session[] = [];
  let blockCount = 0;
  let sessionCount = 0;
  const rows = trace.rows.map((row, index): TraceRow => {
    let session = random.float() < GOES_ON_SHARE ? fitting(open, row) : undefined;
    if (session === undefined) {
      session = { number: sessionCount++, tokens: 0, fullBlocks: 0, quietFromS: 0, blocks: [] };
      open.push(session);
      if (open.length > OPEN_MAX) open.shift();
    }
    sessions[index] = session.number;
    const needed = Math.ceil(row.inputTokens / BLOCK_TOKENS);
    // A block that was not full has other contents now; so have those that the answer began.
    const kept = session.blocks.slice(0, session.fullBlocks);
    while (kept.length < needed) kept.push(blockCount++);
    session.blocks = kept;
    session.tokens = row.inputTokens + row.outputTokens;
    session.fullBlocks = Math.floor(row.inputTokens / BLOCK_TOKENS);
    session.quietFromS = row.atS + QUIET_S;
    return { ...row, blocks: kept };
  });
  return { rows, blockTokens: BLOCK_TOKENS, sessions };
}

interface Session {
  readonly number: number;
  /** Of all that was said. */
  tokens: number;
  /** Of the last prompt. */
  fullBlocks: number;
  /** Nobody goes on before the answer is read. */
  quietFromS: number;
  blocks: number[];
}

function fitting(open: readonly Session[], { atS, inputTokens }: TraceRow): Session | undefined {
  let best: Session | undefined;
  for (const session of open) {
    if (session.tokens >= inputTokens || session.quietFromS > atS) continue;
    if (best === undefined || session.tokens > best.tokens) best = session;
  }
  return best;
}

const BLOCK_TOKENS = 64;
/** Of the requests that could go on with a conversation. */
const GOES_ON_SHARE = 0.75;
/** Conversations that may go on; the oldest is forgotten. */
const OPEN_MAX = 256;
const QUIET_S = 10;
const SEED = 2023;
