import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Entry } from "../ledger.ts";
import type { Row } from "../row.ts";

/** A data thread ends where it stands: what it had open ends with it, and nothing else. */
export const threadDeath: Row = {
  name: "12",
  title: "one of 4 data threads dies, again and again",
  async run(trial) {
    const threads = 4;
    const backends = await trial.backends(5);
    const killer = fileURLToPath(new URL("../thread-killer.ts", import.meta.url));
    const under = ["env", `NODE_OPTIONS=--import=${killer}`];
    const evener = await trial.start(backends, {}, { threads }, under);
    const load = trial.load({ events: 20 });
    load.start();
    const deaths: number[] = [];
    trial.isExcused = (entry) => isOfDeadThread(entry, deaths);
    let slowestMs = 0;
    for (let round = 0; round < trial.pick(2, 8); round++) {
      // One that lived for less is not replaced at once.
      await trial.sleep(trial.pick(700, 2_500));
      const running = load.running;
      deaths.push(performance.now());
      evener.signal("SIGWINCH");
      const died = (): number => evener.log.filter((line) => line.includes("a data thread died")).length;
      await trial.until(() => died() === deaths.length, "the end of a data thread");
      const endedMs = performance.now();
      await trial.until(() => listeners(evener.port) === threads, "another one in its place");
      slowestMs = Math.max(slowestMs, performance.now() - endedMs);
      trial.note("in flight at the last death", running);
    }
    await trial.sleep(300);
    await load.stop();
    const ended = trial.ledger.filter(({ ending }) => ending !== "ok");
    trial.note("ended with their thread", ended.length);
    trial.note("slowest replacement, ms", slowestMs);
    trial.expectTime(slowestMs <= 1_000, `a thread was replaced after ${slowestMs} ms`);
    const refused = ended.filter(({ detail }) => detail === "ECONNREFUSED");
    trial.expect(refused.length === 0, `${refused.length} connections were refused`);
    const told = (await evener.events()).filter(({ kind }) => kind === "thread_died");
    trial.expect(told.length === deaths.length, `${told.length} events of ${deaths.length} deaths`);
    // About a quarter of what is in flight; a load of W has at most 60 or so.
    const most = 40 * deaths.length;
    trial.expect(ended.length <= most, `${ended.length} requests ended with ${deaths.length} threads`);
  },
};

/** Its connection broke in a moment in which a thread died; no client could be answered over it. */
function isOfDeadThread({ ending, detail, sentAtMs, endedAtMs }: Entry, deaths: readonly number[]): boolean {
  const isCut = ending === "failed" && detail !== "ECONNREFUSED";
  return isCut && deaths.some((atMs) => sentAtMs < atMs + DYING_MS && endedAtMs > atMs);
}

/** Sockets that listen on that port: one for each data thread. */
function listeners(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines.filter((line) => line.includes(`:${hex} 00000000:0000 0A`)).length;
}

/** Until its sockets are closed. */
const DYING_MS = 200;
