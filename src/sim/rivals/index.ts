import type { RouterSpec } from "../router.ts";
import { aibrixPrefixCache } from "./aibrix-prefix-cache.ts";
import { dynamoKv } from "./dynamo-kv.ts";
import { hfQueuedLeastLatency } from "./hf-queued-least-latency.ts";
import { leastRequest } from "./least-request.ts";
import { litellmLeastBusy } from "./litellm-least-busy.ts";
import { llmDDefault } from "./llm-d-default.ts";
import { lmetric } from "./lmetric.ts";
import { lpwl } from "./lpwl.ts";
import { roundRobin } from "./round-robin.ts";
import { sglangCacheAware } from "./sglang-cache-aware.ts";
import { smgLeastLoad } from "./smg-least-load.ts";
import { vllmProductionPrefixaware } from "./vllm-production-prefixaware.ts";
import { vllmRouterSmetric } from "./vllm-router-smetric.ts";

/** The menu: ways to route of other products and papers. docs/internals/rivals.md has them as a table. */
export const rivals: readonly RouterSpec[] = [
  roundRobin,
  leastRequest,
  sglangCacheAware,
  aibrixPrefixCache,
  llmDDefault,
  smgLeastLoad,
  dynamoKv,
  lmetric,
  lpwl,
  litellmLeastBusy,
  hfQueuedLeastLatency,
  vllmRouterSmetric,
  vllmProductionPrefixaware,
];
