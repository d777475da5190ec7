import { SMALL_BODY } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** Clients without keep-alive: an accept and a close for each request. */
export const connect: Workload = requestWorkload({
  name: "connect",
  summary: "small GET, a new connection for each",
  exchange: { path: "/", answer: SMALL_BODY, closing: true },
});
