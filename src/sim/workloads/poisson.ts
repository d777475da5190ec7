import { Random } from "../../core/kit/random.ts";
import type { SimRequest } from "../router.ts";
import { lengthNear } from "./draws.ts";
import { ListedWorkload, type WorkloadOptions, type WorkloadSource } from "./workload.ts";

/**
 * Questions and answers without anything in common, at random moments: prompts about 1,000 and answers about
 * 200 tokens, both log-normal. What the cache can not help.
 */
export const poisson: WorkloadSource = { name: "poisson", create };

function create({ requests, seed, requestsPerS }: WorkloadOptions): ListedWorkload {
  const random = new Random(seed).split(STREAM);
  const meanS = 1 / (requestsPerS > 0 ? requestsPerS : 1);
  let atS = 0;
  const list = Array.from({ length: requests }, (_, id): SimRequest => {
    atS += random.exponential(meanS);
    return {
      id,
      atS,
      inputTokens: lengthNear(random, 1000, 1, 32_000),
      outputTokens: lengthNear(random, 200, 0.8, 4000),
      outputTokensMax: 0,
      blocks: [],
      blockTokens: 64,
      session: -1,
    };
  });
  return new ListedWorkload(list);
}

const STREAM = 11;
