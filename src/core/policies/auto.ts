import { PromptPlacement } from "../inference/prompt-placement.ts";
import type { Random } from "../kit/random.ts";
import { NO_OPTIONS, type Policy, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The default: prompts for language models as `inference`; all else as `least_request` whose ties go to the
 * faster endpoint more often (weighted by 1/latency), never always to the same one.
 * When to use: unless you know better.
 * When not: sessions or caches need one key in one place: see `hash`.
 * Cost: O(n) a pick, no allocation.
 * Source: Envoy FULL_SCAN for the count; the tie-break is ours: at low load almost every pick is a tie, and
 * counts alone would send as much to the slowest machine as to the fastest.
 */
export const auto: PolicySpec = {
  name: "auto",
  summary: "the default: prompts as inference; else least_request, ties weighted by 1/latency",
  options: NO_OPTIONS,
  create: (_options, kit) => new PromptPlacement(kit, new RequestPlacement(kit.random)),
};

/** Of work that is no prompt. */
export class RequestPlacement implements Policy {
  readonly #random: Random;

  constructor(dice: Random) {
    this.#random = dice;
  }

  pick(view: PoolView): number {
    const { candidates, count } = view;
    const { inFlight, burden, weight, costMs } = view.ledger;
    let best = -1;
    let bestLoad = Number.POSITIVE_INFINITY;
    let speedOfTies = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const load = (inFlight[slot]! + burden[slot]! + 1) / weight[slot]!;
      if (load > bestLoad) continue;
      const speed = 1 / costMs[slot]!;
      if (load < bestLoad) {
        bestLoad = load;
        best = slot;
        speedOfTies = speed;
      } else {
        speedOfTies += speed;
        if (this.#random.float() * speedOfTies < speed) best = slot;
      }
    }
    return best;
  }
}
