import { Random } from "../../core/kit/random.ts";
import type { SimRequest } from "../router.ts";
import { BlockNumbers, lengthNear } from "./draws.ts";
import { ListedWorkload, type WorkloadOptions, type WorkloadSource } from "./workload.ts";

/**
 * The shape that most published claims rest on (llm-d's guide to its precise prefix cache): 150 groups with a
 * system prompt of 6,000 tokens each, questions of 1,200 tokens that are asked once, answers about 250
 * tokens. The guide asks 5 questions a group; here each request is one of any group, at random moments.
 */
export const sharedPrefix: WorkloadSource = { name: "shared_prefix", create };

function create({ requests, seed, requestsPerS }: WorkloadOptions): ListedWorkload {
  const random = new Random(seed).split(STREAM);
  const numbers = new BlockNumbers();
  const systems = Array.from({ length: GROUPS }, () => numbers.take(SYSTEM_TOKENS / BLOCK_TOKENS));
  const meanS = 1 / (requestsPerS > 0 ? requestsPerS : 1);
  let atS = 0;
  const list = Array.from({ length: requests }, (_, id): SimRequest => {
    atS += random.exponential(meanS);
    return {
      id,
      atS,
      inputTokens: SYSTEM_TOKENS + QUESTION_TOKENS,
      outputTokens: lengthNear(random, 250, 0.5, 1000),
      outputTokensMax: 1000,
      blocks: [...systems[random.below(GROUPS)]!, ...numbers.take(QUESTION_TOKENS / BLOCK_TOKENS)],
      blockTokens: BLOCK_TOKENS,
      session: -1,
    };
  });
  return new ListedWorkload(list);
}

const GROUPS = 150;
const SYSTEM_TOKENS = 6000;
const QUESTION_TOKENS = 1200;
const BLOCK_TOKENS = 200;
const STREAM = 5;
