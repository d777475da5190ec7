import { Random } from "../../src/core/kit/random.ts";
import type { SimRequest } from "../../src/sim/router.ts";
import { ROUTERS } from "../../src/sim/routers.ts";
import { run } from "../../src/sim/run.ts";
import { type Score, score } from "../../src/sim/score.ts";
import { ListedWorkload } from "../../src/sim/workloads/workload.ts";
import { ENGINES, type LiveWorkload, MODEL } from "./workload.ts";

/**
 * What the simulator says of a policy on the workload of the sockets: a score for each seed. A seed is for
 * the policy's dice, and moves each arrival by some milliseconds, as sockets do: a choice that goes the other
 * way by a hair changes all that follow, and the range says how much that is worth.
 */
export function simulate(policy: string, { requests }: LiveWorkload): Score[] {
  const spec = ROUTERS.find(({ name }) => name === policy);
  if (spec === undefined) throw new Error(`the simulator has no policy ${policy}`);
  return Array.from({ length: SEEDS }, (_, index) => {
    const router = spec.create(ENGINES, index + 1);
    const workload = new ListedWorkload(shaken(requests, index + 1));
    return score(run({ model: MODEL, engines: ENGINES, workload, router }));
  });
}

const SEEDS = 10;
const SHAKEN_S = 0.005;

/** In the order of their new times; ids stay places in that order. */
function shaken(requests: readonly SimRequest[], seed: number): SimRequest[] {
  const random = new Random(seed);
  const moved = requests.map((request) => ({ ...request, atS: request.atS + random.float() * SHAKEN_S }));
  return moved.sort((a, b) => a.atS - b.atS).map((request, id) => ({ ...request, id }));
}
