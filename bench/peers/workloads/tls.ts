import { SMALL_BODY } from "../payload.ts";
import { requestWorkload } from "./requests.ts";
import type { Workload } from "./workload.ts";

/** Records, not handshakes: those are once a connection. */
export const tls: Workload = requestWorkload({
  name: "tls",
  summary: "small GET over TLS, keep-alive",
  exchange: { path: "/", answer: SMALL_BODY },
  tls: true,
  aim: 1.5,
});
