import type { RunResult } from "./run.ts";

/** What went on at each engine, step by step. */
export interface Timeline {
  /** Seconds of a step. */
  readonly stepS: number;
  readonly engines: readonly EngineTimeline[];
}

/** One engine; one number a step. */
export interface EngineTimeline {
  readonly number: number;
  /** Requests without a first token, the mean over the step. */
  readonly queue: readonly number[];
  /** Of the requests that were sent in the step, the share that it got, 0..1; all 0 where none was. */
  readonly share: readonly number[];
}

/** Cuts a run into so many steps of equal length. Of a request that was sent again the last engine counts. */
export function timelineOf({ flights, fleet, endS }: RunResult, steps: number): Timeline {
  const stepS = endS > 0 ? endS / steps : 1;
  const queues = fleet.all.map(() => new Float64Array(steps));
  const counts = fleet.all.map(() => new Float64Array(steps));
  const sent = new Float64Array(steps);
  for (const { engine, sentS, firstS } of flights) {
    if (engine < 0) continue;
    const step = Math.min(steps - 1, Math.floor(sentS / stepS));
    sent[step]! += 1;
    counts[engine]![step]! += 1;
    addSpan(queues[engine]!, sentS, firstS < 0 ? endS : firstS, stepS);
  }
  const engines = fleet.all.map(({ number }): EngineTimeline => {
    const share = Array.from(counts[number]!, (count, step) => count / Math.max(1, sent[step]!));
    return { number, queue: Array.from(queues[number]!), share };
  });
  return { stepS, engines };
}

/** One more from `fromS` to `untilS`, as the share of each step. */
function addSpan(line: Float64Array, fromS: number, untilS: number, stepS: number): void {
  const first = Math.floor(fromS / stepS);
  for (let step = first; step < line.length && step * stepS < untilS; step++) {
    const overlapS = Math.min(untilS, (step + 1) * stepS) - Math.max(fromS, step * stepS);
    line[step]! += Math.max(0, overlapS) / stepS;
  }
}
