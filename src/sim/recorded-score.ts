import { mean, quantile, type Score, timeShares } from "./score.ts";
import type { RecordedRequest, Recording } from "./workloads/recording.ts";

/**
 * How the recorded requests did in truth, in the figures of a simulation; NaN where the log does not say.
 * Goodput is of the requests whose first token is known.
 */
export function recordedScore({ requests }: Recording): Score {
  const streamed = requests.filter(({ ttftS }) => !Number.isNaN(ttftS));
  const ttfts = Float64Array.from(streamed, ({ ttftS }) => ttftS).sort();
  const long = streamed.filter(({ outputTokens }) => outputTokens > 1);
  const told = requests.filter(({ cachedTokens }) => !Number.isNaN(cachedTokens));
  const cached = told.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);
  const prompt = told.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
  return {
    requests: requests.length,
    ttftMeanS: mean(ttfts),
    ttftP50S: quantile(ttfts, 0.5),
    ttftP99S: quantile(ttfts, 0.99),
    tpotMeanS: mean(long.map(tpotS)),
    answerMeanS: mean(requests.map(({ totalS }) => totalS)),
    goodput: streamed.filter(isGood).length / streamed.length,
    hitRate: cached / prompt,
    refused: Number.NaN,
    lost: Number.NaN,
    jain: Number.NaN,
    busyShare: Number.NaN,
    preemptions: Number.NaN,
  };
}

function isGood(request: RecordedRequest): boolean {
  const { inputTokens, outputTokens, ttftS } = request;
  const { ttft, tpot } = timeShares(inputTokens, ttftS, outputTokens > 1 ? tpotS(request) : 0);
  return ttft <= 1 && tpot <= 1;
}

function tpotS({ totalS, ttftS, outputTokens }: RecordedRequest): number {
  return (totalS - ttftS) / (outputTokens - 1);
}
