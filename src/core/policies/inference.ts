import { PromptPlacement } from "../inference/prompt-placement.ts";
import { RequestPlacement } from "./auto.ts";
import { NO_OPTIONS, type PolicySpec } from "./policy.ts";

/**
 * The endpoint where a prompt costs all of its users least, in milliseconds: what waits there, its own tokens
 * that are not cached there (dearer by what others pay for them: answers that stand still meanwhile, prefixes
 * that are pushed out), and the context that every step reads.
 * When to use: model servers behind an LLM API; `auto` is this there.
 * When not: anything else; work without a prompt is placed as `auto` does.
 * Cost: O(n log b) a pick for prompts of b blocks, no allocation.
 * Source: ours; docs/policies/inference.md has the formula and its reasons. Near relatives: LPWL
 * (agentic-kvc), LMetric (arXiv 2603.15202), Dynamo's KV router.
 */
export const inference: PolicySpec = {
  name: "inference",
  summary: "where a prompt costs least: waiting work, cached prefixes, running answers, learned speed",
  options: NO_OPTIONS,
  create: (_options, kit) => new PromptPlacement(kit, new RequestPlacement(kit.random)),
};
