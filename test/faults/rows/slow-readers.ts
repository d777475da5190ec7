import { visit, type Visitor } from "../crowd.ts";
import { limitMemory, type MemoryLimit } from "../namespace.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/** Clients that ask for much and read nothing: what they do not read must not pile up in Evener. */
export const slowReaders: Row = {
  name: "21",
  title: "5,000 clients ask for 10 MB each and stop reading, in 256 MB (short: 300, no limit)",
  isHeavy: true,
  run: (trial) => stopReading(trial, 0),
};

/** The same with data threads, each of which has a heap of its own. */
export const slowReadersOfThreads: Row = {
  name: "21b",
  title: "the same with 2 data threads, in 368 MB",
  isHeavy: true,
  run: (trial) => stopReading(trial, 2),
};

async function stopReading(trial: Trial, threads: number): Promise<void> {
  const backends = await trial.backends(3);
  const limitBytes = LIMIT_BYTES + threads * THREAD_BYTES;
  const memory = trial.isFull ? limitMemory(limitBytes) : null;
  const evener = await trial.start(backends, {}, { threads }, memory?.under);
  const load = trial.load({ events: 10 });
  load.start();
  const beforeMs = await p99Ms(trial, trial.pick(700, 5_000));
  const before = evener.rssBytes;
  const count = trial.pick(300, 5_000);
  const crowd = askAndStop(trial, count);
  const haveAll = (): boolean => crowd.every(({ bytes: got }) => got > 0);
  await trial.until(haveAll, "the first bytes of all", trial.pick(30_000, 60_000)).catch((error: Error) => {
    const { ended } = evener;
    const silent = crowd.filter(({ bytes: got }) => got === 0).length;
    const how = ended === null ? `${evener.rssBytes / 2 ** 20} MiB` : `it has ended: ${ended}`;
    throw new Error(`${error.message}; ${silent} of ${count} have nothing; Evener: ${how}`);
  });
  // The kernel's buffers fill up, for a second or two; from then on nobody reads, and nobody is read from.
  const written = (): number => backends.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  const isStill = async (): Promise<boolean> => {
    const seen = written();
    await trial.sleep(500);
    return written() === seen;
  };
  await trial.until(isStill, "the backends to be stopped", 60_000);
  const duringMs = await p99Ms(trial, trial.pick(1_000, 10_000));
  const perStream = (evener.rssBytes - before) / count / 1024;
  trial.note("KiB of memory a stream", perStream);
  trial.note("memory, MiB", evener.rssBytes / 2 ** 20);
  if (memory !== null) trial.note("share of the limit", memory.usedBytes() / limitBytes);
  trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
  trial.expectTime(duringMs < 2 * beforeMs, `p99 of the others went from ${beforeMs} to ${duringMs} ms`);
  // 4 KiB that wait, two connections and what belongs to them. In short runs the first ones hold a whole
  // read of 64 KiB, and the garbage of the begin falls on few. Without backpressure it were 10 MB.
  trial.expect(perStream < trial.pick(400, 30), `each stream that is not read costs ${perStream} KiB`);
  if (memory !== null) crowd.push(...(await fill(trial, memory, limitBytes)));
  for (const { socket } of crowd) socket.destroy();
  await load.stop();
  await trial.until(async () => (await evener.busy()) === 0, "no request in flight");
}

/** The first bytes come; from then on nothing is read. */
function askAndStop(trial: Trial, count: number): Visitor[] {
  const crowd = Array.from({ length: count }, (_, i) => visit(trial.evener.port, i));
  trial.after(() => crowd.forEach(({ socket }) => socket.destroy()));
  for (const { socket } of crowd) {
    socket.once("data", () => socket.pause());
    socket.write(
      `GET /bytes?n=${ANSWER_BYTES} HTTP/1.1\r\nhost: a\r\nx-test-id: ${trial.ledger.ignore()}\r\n\r\n`,
    );
  }
  return crowd;
}

/** More than the memory has room for: who comes late is turned away, and nothing ends. */
async function fill(trial: Trial, { usedBytes }: MemoryLimit, limitBytes: number): Promise<Visitor[]> {
  const used = Number(trial.figures["share of the limit"]);
  trial.expect(used <= 0.8, `5,000 streams that are not read take ${used} of the memory`);
  // The load opens connections when it needs more of them, and these are turned away, too.
  trial.isExcused = ({ code }) => code === "EVENER_SATURATED";
  const all: Visitor[] = [];
  const isRefused = ({ text }: Visitor): boolean => text.startsWith("HTTP/1.1 503");
  const refused = (): number => all.filter(isRefused).length;
  for (let wave = 0; wave < WAVES_MAX && refused() < ENOUGH_REFUSED; wave++) {
    const crowd = askAndStop(trial, WAVE);
    all.push(...crowd);
    const isTold = ({ bytes, isClosed }: Visitor): boolean => bytes > 0 || isClosed;
    await trial.until(() => crowd.every(isTold), `an answer to wave ${wave}`, 60_000);
    for (const visitor of crowd) if (isRefused(visitor)) visitor.socket.destroy();
  }
  trial.note("share of the limit at most", usedBytes() / limitBytes);
  trial.note("turned away", `${refused()} of ${all.length}`);
  trial.expect(refused() >= ENOUGH_REFUSED, "hardly anybody was turned away, however many came");
  return all;
}

const ANSWER_BYTES = 10_000_000;
const LIMIT_BYTES = 256 * 2 ** 20;
/** A data thread takes 32 to 44 MiB with half of the readers: so much are 80 % of this. */
const THREAD_BYTES = 56 * 2 ** 20;
const WAVE = 500;
const WAVES_MAX = 16;
const ENOUGH_REFUSED = 1_000;
