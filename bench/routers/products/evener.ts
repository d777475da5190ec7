import { evenerWith } from "../../peers/proxies/evener.ts";
import type { Contender } from "./product.ts";

/** Evener with `inference`, which is what its default does with prompts, and with `least_request`. */
export function evener(): Contender[] {
  return POLICIES.map((policy, place) => ({
    peer: evenerWith(`evener ${policy}`, policy),
    simulated: policy,
    isMeasured: place === 0,
    isRust: false,
  }));
}

const POLICIES: readonly string[] = ["inference", "least_request"];
