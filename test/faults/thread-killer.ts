// For `node --import`: SIGWINCH ends a data thread where it stands, as a bug of ours would; each time another.
// The file that FAULTS_THREAD_JOURNAL names is told which thread accepts whom, and which one is ended:
//   accepted THREAD PORT    a connection from that port
//   killed THREAD           from now on it does nothing more
import { subscribe } from "node:diagnostics_channel";
import { openSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { isMainThread, threadId, type Worker } from "node:worker_threads";

const journal = openSync(process.env.FAULTS_THREAD_JOURNAL!, "a");

if (isMainThread) {
  const living: Worker[] = [];
  process.on("worker", (worker: Worker) => {
    // Others read the configuration, and end by themselves.
    if (worker.threadName?.startsWith("evener data") !== true) return;
    living.push(worker);
    worker.on("exit", () => living.splice(living.indexOf(worker), 1));
  });
  process.on("SIGWINCH", () => {
    writeSync(journal, `killed ${living[0]!.threadId}\n`);
    void living[0]!.terminate();
  });
} else {
  // Node's own word about it, in the same step in which it is accepted.
  subscribe("net.server.socket", (message) => {
    const { socket } = message as { socket: Socket };
    writeSync(journal, `accepted ${threadId} ${socket.remotePort}\n`);
  });
}
