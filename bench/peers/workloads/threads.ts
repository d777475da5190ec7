import { SMALL_BODY } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** What sharing costs. Evener with 0 threads is its main thread alone, beside one thread of the others. */
export const threads: Workload = requestWorkload({
  name: "threads",
  summary: "small GET, keep-alive, with 1, 2 and 4 threads",
  exchange: { path: "/", answer: SMALL_BODY },
  threads: [0, 1, 2, 4],
  note:
    "Threads (nginx: worker processes) may use every core, the load generator's as well. With two cores " +
    "requests/s is what the load generator lets them have: only CPU per request says something.",
});
