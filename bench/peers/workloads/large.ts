import { LARGE_BODY, LARGE_PATH } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** An answer of many reads and writes. */
export const large: Workload = requestWorkload({
  name: "large",
  summary: "GET with an answer of 64 KiB, keep-alive",
  exchange: { path: LARGE_PATH, answer: LARGE_BODY },
  aim: 1.3,
});
