import { CHAT_ANSWER, CHAT_REQUEST } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** A chat completion with bodies both ways. */
export const post: Workload = requestWorkload({
  name: "post",
  summary: "POST /v1/chat/completions, 1 KiB in, 1 KiB out, keep-alive",
  exchange: { path: "/v1/chat/completions", body: CHAT_REQUEST, answer: CHAT_ANSWER },
});
