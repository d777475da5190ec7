import { Random } from "../../core/kit/random.ts";
import type { SimRequest } from "../router.ts";
import { withSessions } from "./sessions.ts";
import type { Trace, TraceRow } from "./trace-text.ts";
import { ListedWorkload, type Workload, type WorkloadOptions, type WorkloadSource } from "./workload.ts";

/**
 * Recorded traffic: its lengths, its prefixes and its rhythm, faster or slower. Where the record says nothing
 * of prefixes (Azure's), sessions are made up: see `sessions.ts`.
 */
export function traceWorkload(name: string, trace: Trace): WorkloadSource {
  const whole = trace.blockTokens > 0 ? { ...numbered(trace), sessions: null } : withSessions(trace);
  return { name, create: (options) => create(whole, options) };
}

/** A trace whose blocks are numbered from 0. */
export interface NumberedTrace extends Trace {
  /** Session of each row; null where the trace does not know. */
  readonly sessions: Int32Array | null;
}

function create(trace: NumberedTrace, options: WorkloadOptions): Workload {
  const random = new Random(options.seed).split(STREAM);
  const from = options.from ?? 0;
  const rows = trace.rows.slice(from, from + options.requests);
  const startS = rows[0]?.atS ?? 0;
  const times = rows.map(({ atS }) => {
    return atS - startS + (options.isJittered ? random.float() * ROUNDED_TO_S : 0);
  });
  const scale = options.requestsPerS > 0 ? recordedRate(rows) / options.requestsPerS : 1;
  const order = times.map((_, index) => index).sort((a, b) => times[a]! - times[b]! || a - b);
  const requests = order.map((index, id): SimRequest => {
    const { inputTokens, outputTokens, blocks } = rows[index]!;
    return {
      id,
      atS: times[index]! * scale,
      inputTokens,
      outputTokens,
      outputTokensMax: 0,
      blocks,
      blockTokens: trace.blockTokens,
      session: trace.sessions?.[from + index] ?? -1,
    };
  });
  return new ListedWorkload(requests);
}

/** Requests a second; rounded times stand for the seconds after them. */
function recordedRate(rows: readonly TraceRow[]): number {
  const lastS = (rows.at(-1)?.atS ?? 0) - (rows[0]?.atS ?? 0);
  return rows.length / (lastS + (lastS % ROUNDED_TO_S === 0 ? ROUNDED_TO_S : 0));
}

/** The conversation trace's times are multiples of it. */
const ROUNDED_TO_S = 3;
const STREAM = 17;

/** Ids become small numbers; equal ids stay equal. */
function numbered(trace: Trace): Trace {
  const numbers = new Map<number, number>();
  const rows = trace.rows.map((row) => {
    const blocks = row.blocks.map((id) => {
      const known = numbers.get(id);
      if (known !== undefined) return known;
      numbers.set(id, numbers.size);
      return numbers.size - 1;
    });
    return { ...row, blocks };
  });
  return { ...trace, rows };
}
