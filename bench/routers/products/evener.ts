import { POLICIES } from "../../../src/core/policies/index.ts";
import { evenerWith } from "../../peers/proxies/evener.ts";
import type { Contender } from "./product.ts";

/** Evener with each of {@link WANTED} that is on its menu; what it measures CPU with is the default. */
export function evener(): Contender[] {
  const menu = new Set(POLICIES.map(({ name }) => name));
  return WANTED.filter((policy) => menu.has(policy)).map((policy) => ({
    peer: evenerWith(`evener ${policy}`, policy === "auto" ? undefined : policy),
    simulated: policy,
    isMeasured: policy === "auto",
    isRust: false,
  }));
}

const WANTED: readonly string[] = ["inference", "auto", "least_request"];
