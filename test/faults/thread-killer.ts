// For `node --import`: SIGWINCH ends a data thread where it stands, as a bug of ours would; each time another.
import { isMainThread, type Worker } from "node:worker_threads";

if (isMainThread) {
  const living: Worker[] = [];
  process.on("worker", (worker: Worker) => {
    // Others read the configuration, and end by themselves.
    if (worker.threadName?.startsWith("evener data") !== true) return;
    living.push(worker);
    worker.on("exit", () => living.splice(living.indexOf(worker), 1));
  });
  process.on("SIGWINCH", () => void living[0]?.terminate());
}
