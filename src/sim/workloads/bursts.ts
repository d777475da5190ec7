import { Random } from "../../core/kit/random.ts";
import type { SimRequest } from "../router.ts";
import { BlockNumbers, geometric, lengthNear } from "./draws.ts";
import { ListedWorkload, type WorkloadOptions, type WorkloadSource } from "./workload.ts";

/**
 * Siblings that come within 50 ms of each other: bursts of 20 on average (geometric) at random moments, each
 * with a prefix of 2,000 tokens of its own and some 300 more a request; answers about 150 tokens. Whoever
 * goes by metrics of a moment ago sends all of a burst to one place; whoever spreads them computes the prefix
 * everywhere.
 */
export const bursts: WorkloadSource = { name: "bursts", create };

function create({ requests, seed, requestsPerS }: WorkloadOptions): ListedWorkload {
  const random = new Random(seed).split(STREAM);
  const numbers = new BlockNumbers();
  const meanS = BURST_MEAN / (requestsPerS > 0 ? requestsPerS : 1);
  const list: Omit<SimRequest, "id">[] = [];
  for (let atS = random.exponential(meanS); list.length < requests; atS += random.exponential(meanS)) {
    const size = geometric(random, BURST_MEAN, BURST_MAX);
    const prefix = numbers.take(PREFIX_TOKENS / BLOCK_TOKENS);
    for (let i = 0; i < size && list.length < requests; i++) {
      const own = lengthNear(random, 300, 0.7, 4000);
      list.push({
        atS: atS + random.float() * BURST_S,
        inputTokens: PREFIX_TOKENS + own,
        outputTokens: lengthNear(random, 150, 0.8, 2000),
        outputTokensMax: 0,
        blocks: [...prefix, ...numbers.take(Math.ceil(own / BLOCK_TOKENS))],
        blockTokens: BLOCK_TOKENS,
        session: -1,
      });
    }
  }
  list.sort((a, b) => a.atS - b.atS);
  return new ListedWorkload(list.map((request, id) => ({ ...request, id })));
}

const BURST_MEAN = 20;
const BURST_MAX = 200;
const BURST_S = 0.05;
const PREFIX_TOKENS = 2000;
const BLOCK_TOKENS = 100;
const STREAM = 13;
