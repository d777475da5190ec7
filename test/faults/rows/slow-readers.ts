import { visit } from "../crowd.ts";
import { limitMemory } from "../namespace.ts";
import type { Row } from "../row.ts";
import { p99Ms } from "./slow-clients.ts";

/** Clients that ask for much and read nothing: what they do not read must not pile up in Evener. */
export const slowReaders: Row = {
  name: "21",
  title: "hundreds of clients ask for 10 MB each and stop reading (memory limit 256 MB at full length)",
  async run(trial) {
    const [backend, ...others] = await trial.backends(3);
    const evener = await trial.start([backend!, ...others]);
    if (trial.isFull) {
      const undo = limitMemory(evener.pid, 256 * 2 ** 20);
      trial.afterAll(undo);
    }
    const load = trial.load({ events: 10 });
    load.start();
    const beforeMs = await p99Ms(trial, trial.pick(700, 5_000));
    const before = evener.rssBytes;
    const count = trial.pick(40, 500);
    const bytes = 10_000_000;
    const crowd = Array.from({ length: count }, (_, i) => visit(evener.port, i));
    trial.after(() => crowd.forEach(({ socket }) => socket.destroy()));
    // The first bytes have come; from then on nothing is read.
    for (const { socket } of crowd) {
      socket.once("data", () => socket.pause());
      socket.write(
        `GET /bytes?n=${bytes} HTTP/1.1\r\nhost: a\r\nx-test-id: ${trial.ledger.ignore()}\r\n\r\n`,
      );
    }
    const haveAll = (): boolean => crowd.every(({ bytes: got }) => got > 0);
    await trial.until(haveAll, "the first bytes of all", trial.pick(10_000, 60_000)).catch((error: Error) => {
      const { ended } = evener;
      const silent = crowd.filter(({ bytes: got }) => got === 0).length;
      const how = ended === null ? `${evener.rssBytes / 2 ** 20} MiB` : `it has ended: ${ended}`;
      throw new Error(`${error.message}; ${silent} of ${count} have nothing; Evener: ${how}`);
    });
    const duringMs = await p99Ms(trial, trial.pick(1_000, 10_000));
    const perStream = (evener.rssBytes - before) / count / 1024;
    trial.note("KiB of memory a stream", perStream);
    trial.note("memory, MiB", evener.rssBytes / 2 ** 20);
    trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
    // One read of 64 KiB, two connections, and what the allocator keeps; without backpressure 10 MB. In short
    // runs the garbage of the first megabytes, which fill the kernel's buffers, falls on few streams.
    trial.expect(perStream < trial.pick(3_000, 250), `each stream that is not read costs ${perStream} KiB`);
    for (const { socket } of crowd) socket.destroy();
    await load.stop();
    await trial.until(async () => (await evener.busy()) === 0, "no request in flight");
  },
};
