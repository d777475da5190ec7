import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import type { Selection } from "./columns.ts";
import type { Results } from "./results.ts";
import type { Task, TaskResult } from "./run-task.ts";

/** All runs of a selection, column by column. */
export function tasksOf({ columns, engines, policies, seeds }: Selection): Task[] {
  return columns.flatMap((column) =>
    engines.flatMap((engine) =>
      policies.flatMap((policy) =>
        Array.from({ length: seeds }, (_, i): Task => ({ column, engine, policy, seed: i + 1, seeds })),
      ),
    ),
  );
}

/**
 * Runs what has no result yet, on as many threads as there are cores; each result is kept as soon as it is
 * there. `onProgress` is told the share of all that is done. Rejects with what a run threw.
 */
export async function runAll(
  tasks: readonly Task[],
  results: Results,
  onProgress: (share: number) => void,
): Promise<void> {
  const queue = tasks.filter((task) => results.get(task) === undefined);
  if (queue.length === 0) return;
  let done = tasks.length - queue.length;
  const count = Math.min(availableParallelism(), queue.length);
  const workers = Array.from({ length: count }, () => new Worker(PROGRAM));
  try {
    await Promise.all(
      workers.map(async (worker) => {
        for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
          results.add(task, await runOne(worker, task));
          onProgress(++done / tasks.length);
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

async function runOne(worker: Worker, task: Task): Promise<TaskResult> {
  const { promise, resolve, reject } = Promise.withResolvers<TaskResult>();
  const exited = (): void => reject(new Error("a thread of the scorecard has ended"));
  worker.on("message", resolve).once("error", reject).once("exit", exited);
  worker.postMessage(task);
  try {
    return await promise;
  } finally {
    worker.off("message", resolve).off("error", reject).off("exit", exited);
  }
}

const PROGRAM = new URL("thread.ts", import.meta.url);
