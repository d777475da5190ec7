import { connect } from "./connect.ts";
import { large } from "./large.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { post } from "./post.ts";
import { small } from "./small.ts";
import { sse } from "./sse.ts";
import { threads } from "./threads.ts";
import { tls } from "./tls.ts";
import type { Workload } from "./workload.ts";

/** All workloads, in the order in which they run and are shown. */
export const WORKLOADS: readonly Workload[] = [
  small,
  post,
  large,
  sse,
  connect,
  tls,
  threads,
  memory,
  latency,
];
