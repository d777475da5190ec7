import type { AnswerScore, Score } from "../../src/sim/score.ts";
import { markdownTable, showUs } from "../measure/table.ts";

/** How one router did on sockets. */
export interface LiveResult extends AnswerScore {
  /** Attempts that the router gave up; the engines compute them to the end. */
  readonly abandoned: number;
  /** Of the engines' busy time. */
  readonly jain: number;
  /** Prompt tokens that the engines had in their caches, of all: whatever an answer's usage says. */
  readonly hitRate: number;
  readonly lateP99S: number;
  /** CPU microseconds of the router for a request, its stream included. */
  readonly cpuUs: number;
  /** Seconds of CPU time that the process of the engines had in a second. */
  readonly enginesBusy: number;
  /** Why requests were lost: each reason once, at most a few. */
  readonly problems: readonly string[];
  /** The machine's load over the last minute, when it was over. */
  readonly machineLoad: number;
}

/** One router: what it did on sockets, and what the simulator says of its policy. */
export interface Pair {
  readonly name: string;
  readonly simulated: string;
  readonly live: LiveResult;
  readonly scores: readonly Score[];
}

/** First-token time and goodput side by side, the others' figures behind them. */
export function liveTable(pairs: readonly Pair[]): string {
  return markdownTable(
    [
      "router",
      "TTFT mean s",
      "p50",
      "p99",
      "TPOT ms",
      "goodput",
      "hit rate",
      "Jain",
      "lost",
      "given up",
      "CPU us/request",
      "client late p99 ms",
      "engines' core",
      "machine load",
    ],
    pairs.map(({ name, live }) => [
      name,
      ...[live.ttftMeanS, live.ttftP50S, live.ttftP99S].map((seconds) => seconds.toFixed(2)),
      (live.tpotMeanS * 1000).toFixed(1),
      live.goodput.toFixed(3),
      ...[live.hitRate, live.jain].map((share) => share.toFixed(3)),
      live.lost === 0 ? "0" : `${live.lost} (${live.problems.join("; ").replaceAll("|", "/")})`,
      String(live.abandoned),
      showUs(live.cpuUs),
      (live.lateP99S * 1000).toFixed(1),
      `${Math.round(live.enginesBusy * 100)} %`,
      live.machineLoad.toFixed(1),
    ]),
  );
}

/** Simulated beside live: the mean over the dice, its range, and how far sockets are from the mean. */
export function comparisonTable(pairs: readonly Pair[]): string {
  return markdownTable(
    [
      "router",
      "simulated as",
      "TTFT live",
      "simulated",
      "range",
      "live / sim",
      "goodput live",
      "simulated",
      "range",
      "live / sim",
      "within 15 %",
    ],
    pairs.map(({ name, simulated, live, scores }) => {
      const ttft = spread(scores.map(({ ttftMeanS }) => ttftMeanS));
      const goodput = spread(scores.map((score) => score.goodput));
      const ratios = [live.ttftMeanS / ttft.mean, live.goodput / goodput.mean];
      const [ttftRatio, goodputRatio] = ratios.map((ratio) => ratio.toFixed(2));
      return [
        name,
        simulated,
        ...[live.ttftMeanS, ttft.mean].map((seconds) => seconds.toFixed(2)),
        `${ttft.min.toFixed(2)}-${ttft.max.toFixed(2)}`,
        ttftRatio!,
        ...[live.goodput, goodput.mean].map((share) => share.toFixed(3)),
        `${goodput.min.toFixed(3)}-${goodput.max.toFixed(3)}`,
        goodputRatio!,
        ratios.every((ratio) => Math.abs(ratio - 1) <= AGREEMENT) ? "yes" : "**no**",
      ];
    }),
  );
}

/** The names in the order of a figure, on sockets and simulated, the best first. */
export function orders(pairs: readonly Pair[]): string {
  const order = (value: (pair: Pair) => number): string =>
    pairs
      .toSorted((a, b) => value(a) - value(b))
      .map(({ name }) => name)
      .join(" < ");
  const simulated = (read: (score: Score) => number) => (pair: Pair) => spread(pair.scores.map(read)).mean;
  return [
    `- TTFT on sockets: ${order(({ live }) => live.ttftMeanS)}`,
    `- TTFT simulated: ${order(simulated(({ ttftMeanS }) => ttftMeanS))}`,
    `- missed goodput on sockets: ${order(({ live }) => -live.goodput)}`,
    `- missed goodput simulated: ${order(simulated((score) => -score.goodput))}`,
  ].join("\n");
}

/** Live and simulated agree when they are as near as this. */
const AGREEMENT = 0.15;

function spread(values: readonly number[]): { mean: number; min: number; max: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, min: Math.min(...values), max: Math.max(...values) };
}
