import { SMALL_BODY } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** The price of a request as such. */
export const small: Workload = requestWorkload({
  name: "small",
  summary: "small GET, keep-alive",
  exchange: { path: "/", answer: SMALL_BODY },
  aim: 1.2,
});
