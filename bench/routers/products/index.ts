// The menu of routers that are compared. To add one: its file, a line here.
import type { Installation } from "../../measure/python-environment.ts";
import { evener } from "./evener.ts";
import { litellm } from "./litellm.ts";
import type { Contender } from "./product.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

/** All contenders, in the order in which they run and are shown. */
export function contenders(installation: Installation): readonly Contender[] {
  return [...evener(), sglang(installation), ...vllm(installation), litellm(installation)];
}
