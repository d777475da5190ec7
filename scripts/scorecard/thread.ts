// The program of the threads of `run-all.ts`: runs what it is asked for, one task after the other.
import { parentPort } from "node:worker_threads";

import { type Task, TaskRunner } from "./run-task.ts";

const runner = new TaskRunner();

parentPort!.on("message", (task: Task) => parentPort!.postMessage(runner.run(task)));
