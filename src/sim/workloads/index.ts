// The menu of made-up workloads (recorded ones: trace.ts). To add one: its file, a line here, its words in
// docs/simulator.md.
import { agents } from "./agents.ts";
import { bursts } from "./bursts.ts";
import { poisson } from "./poisson.ts";
import { sharedPrefix } from "./shared-prefix.ts";
import type { WorkloadSource } from "./workload.ts";

export const WORKLOADS: readonly WorkloadSource[] = [sharedPrefix, agents, bursts, poisson];
