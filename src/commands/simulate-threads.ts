import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import type { Score } from "../sim/score.ts";
import type { Timeline } from "../sim/timeline.ts";
import type { SimulationPlan } from "./simulate-plan.ts";

/** One run: a policy with a seed. */
export interface RunTask {
  readonly policy: string;
  readonly seed: number;
}

/** What a thread is started with. */
export interface ThreadData {
  readonly plan: SimulationPlan;
  readonly requestsPerS: number;
  /** The runs of the first seed also say what went on over the time. */
  readonly hasTimelines: boolean;
}

/** What came out of a run. */
export interface RunOutcome {
  readonly score: Score;
  readonly timeline: Timeline | null;
}

/** What a thread says of the run that it is in. */
export type RunAnswer =
  | { readonly kind: "progress"; readonly share: number }
  | ({ readonly kind: "done" } & RunOutcome);

/**
 * Runs all tasks, as many at a time as there are cores; outcomes come in the order of the tasks. `onProgress`
 * is told the share of all that is done. Rejects with what a run threw.
 */
export async function runAll(
  data: ThreadData,
  tasks: readonly RunTask[],
  onProgress: (share: number) => void,
): Promise<RunOutcome[]> {
  const outcomes: RunOutcome[] = [];
  const shares = tasks.map(() => 0);
  const queue = tasks.map((task, index) => ({ task, index }));
  const told = (index: number, share: number): void => {
    shares[index] = share;
    onProgress(shares.reduce((sum, one) => sum + one, 0) / shares.length);
  };
  const count = Math.min(availableParallelism(), tasks.length);
  const workers = Array.from({ length: count }, () => new Worker(PROGRAM, { workerData: data }));
  try {
    await Promise.all(
      workers.map(async (worker) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const { task, index } = next;
          outcomes[index] = await runOne(worker, task, (share) => told(index, share));
          told(index, 1);
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return outcomes;
}

async function runOne(
  worker: Worker,
  task: RunTask,
  onProgress: (share: number) => void,
): Promise<RunOutcome> {
  const { promise, resolve, reject } = Promise.withResolvers<RunOutcome>();
  const answered = (answer: RunAnswer): void => {
    if (answer.kind === "done") resolve(answer);
    else onProgress(answer.share);
  };
  const exited = (): void => reject(new Error("a thread of the simulation has ended"));
  worker.on("message", answered).once("error", reject).once("exit", exited);
  worker.postMessage(task);
  try {
    return await promise;
  } finally {
    worker.off("message", answered).off("error", reject).off("exit", exited);
  }
}

const PROGRAM = new URL(import.meta.url.replace(/simulate-threads(?=\.[jt]s$)/, "simulate-program"));
