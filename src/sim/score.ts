import type { Flight } from "./flight.ts";
import type { RunResult } from "./run.ts";

/** How good answers were. Seconds; shares are 0..1; NaN where nothing was measured. */
export interface AnswerScore {
  readonly requests: number;
  /** Time to the first token, from the arrival, of all that were answered. */
  readonly ttftMeanS: number;
  readonly ttftP50S: number;
  readonly ttftP99S: number;
  /** Seconds a token after the first. */
  readonly tpotMeanS: number;
  /** Time to the last token. */
  readonly answerMeanS: number;
  /** Share of all requests that were answered in time: see {@link isGood}. */
  readonly goodput: number;
  /** Prompt tokens that were found in a cache, of all prompt tokens of requests that were admitted. */
  readonly hitRate: number;
  readonly refused: number;
  readonly lost: number;
}

/** How good a run was: its answers, and the work of its engines. */
export interface Score extends AnswerScore {
  /** Jain's index of the engines' busy time, each as a share of the time that it was there; 1 is even. */
  readonly jain: number;
  /** Mean of the engines' busy shares. */
  readonly busyShare: number;
  readonly preemptions: number;
}

/** Computes it. O(n log n). */
export function score({ flights, fleet, endS }: RunResult): Score {
  const shares = fleet.all.map(({ number }) => fleet.busyShare(number, endS));
  return {
    ...scoreAnswers(flights),
    jain: jain(shares),
    busyShare: mean(shares),
    preemptions: fleet.all.reduce((sum, { preemptions }) => sum + preemptions, 0),
  };
}

/** Of requests that went wherever; O(n log n). */
export function scoreAnswers(flights: readonly Flight[]): AnswerScore {
  const answered = flights.filter(({ ending }) => ending === "answered");
  const ttfts = Float64Array.from(answered, ({ firstS, request }) => firstS - request.atS).sort();
  const long = answered.filter(({ request }) => request.outputTokens > 1);
  const admitted = flights.filter(({ admission }) => admission > 0);
  const cached = admitted.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);
  const prompt = admitted.reduce((sum, { request }) => sum + request.inputTokens, 0);
  return {
    requests: flights.length,
    ttftMeanS: mean(ttfts),
    ttftP50S: quantile(ttfts, 0.5),
    ttftP99S: quantile(ttfts, 0.99),
    tpotMeanS: mean(long.map(tpotS)),
    answerMeanS: mean(answered.map(({ endS, request }) => endS - request.atS)),
    goodput: answered.filter(isGood).length / flights.length,
    hitRate: cached / prompt,
    refused: flights.filter(({ ending }) => ending === "refused").length,
    lost: flights.filter(({ ending }) => ending === "lost").length,
  };
}

/** The first token within 1 s + input / 8000 s, the others at a mean of 50 ms or less. */
export function isGood(flight: Flight): boolean {
  const { ttft, tpot } = goodnessShares(flight);
  return ttft <= 1 && tpot <= 1;
}

/** Of the time that {@link isGood} allows, the share that was taken: up to 1 is good. */
export function goodnessShares(flight: Flight): TimeShares {
  const { firstS, request } = flight;
  const isLong = request.outputTokens > 1;
  return timeShares(request.inputTokens, firstS - request.atS, isLong ? tpotS(flight) : 0);
}

/** The same for times that are known from elsewhere. */
export function timeShares(inputTokens: number, ttftSeconds: number, tpotSeconds: number): TimeShares {
  return { ttft: ttftSeconds / (1 + inputTokens / 8000), tpot: tpotSeconds / 0.05 };
}

/** Taken of the time that is allowed; 1 is all of it. */
export interface TimeShares {
  readonly ttft: number;
  readonly tpot: number;
}

/** Jain, Chiu and Hawe 1984: (sum x)^2 / (n sum x^2). */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}

function tpotS({ firstS, endS, request }: Flight): number {
  return (endS - firstS) / (request.outputTokens - 1);
}

/** NaN where there is none. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? Number.NaN : sum / values.length;
}

/** The nearest rank; NaN where there is none. */
export function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
