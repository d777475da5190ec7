import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, type Entry } from "../ledger.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";

/** A data thread ends where it stands: what it had open ends with it, and nothing else. */
export const threadDeath: Row = {
  name: "12",
  title: "one of 4 data threads dies, again and again",
  isHeavy: true,
  async run(trial) {
    const threads = 4;
    const backends = await trial.backends(5);
    const killer = fileURLToPath(new URL("../thread-killer.ts", import.meta.url));
    const journal = join(trial.folder, "threads.journal");
    const under = ["env", `NODE_OPTIONS=--import=${killer}`, `FAULTS_THREAD_JOURNAL=${journal}`];
    const evener = await trial.start(backends, {}, { threads }, under);
    const losses = new Losses(journal);
    trial.isExcused = (entry) => losses.owners.has(entry);
    const load = trial.load({ events: 20, onEnd: (entry) => losses.judge(entry) });
    // Connections that come in while a thread dies: each of these is a new one.
    const fresh = trial.load({ perSecond: 30, isFresh: true, onEnd: (entry) => losses.judge(entry) });
    load.start();
    fresh.start();
    let slowestMs = 0;
    for (let round = 0; round < trial.pick(2, 8); round++) {
      // One that lived for less is not replaced at once.
      await trial.sleep(trial.pick(700, 2_500));
      const running = load.running + fresh.running;
      losses.deathsMs.push(performance.now());
      evener.signal("SIGWINCH");
      const died = (): number => evener.log.filter((line) => line.includes("a data thread died")).length;
      await trial.until(() => died() === losses.deathsMs.length, "the end of a data thread");
      const endedMs = performance.now();
      await trial.until(() => listeners(evener.port) === threads, "another one in its place");
      slowestMs = Math.max(slowestMs, performance.now() - endedMs);
      trial.note("in flight at the last death", running);
    }
    await trial.sleep(300);
    await Promise.all([load.stop(), fresh.stop()]);
    trial.note("slowest replacement, ms", slowestMs);
    trial.expectTime(slowestMs <= 1_000, `a thread was replaced after ${slowestMs} ms`);
    judge(trial, losses);
    const told = (await evener.events()).filter(({ kind }) => kind === "thread_died");
    const deaths = losses.deathsMs.length;
    trial.expect(told.length === deaths, `${told.length} events of ${deaths} deaths`);
  },
};

/** Whatever did not end well must have been the dead threads' own. */
function judge(trial: Trial, { owners, deathsMs }: Losses): void {
  const ended = trial.ledger.filter(({ ending }) => ending !== "ok");
  const others = ended.filter((entry) => !owners.has(entry));
  const waiting = [...owners.values()].filter((owner) => owner === "nobody").length;
  trial.note("ended with their thread", ended.length - waiting);
  trial.note("ended before they were accepted", waiting);
  const shown = others.slice(0, 8).map(describe).join("\n");
  trial.expect(others.length === 0, `${others.length} ended without being a dead thread's:\n${shown}`);
  trial.expect(waiting <= 2 * deathsMs.length, `${waiting} connections ended before they were accepted`);
}

/**
 * Requests that ended badly, each with the dead thread that had accepted its connection: by the journal of
 * `thread-killer.ts`, not by when they ended. One that a living thread has answered badly, or has broken
 * off, is not among them.
 */
class Losses {
  readonly deathsMs: number[] = [];
  /** "nobody": it stood in the queue of a socket whose thread died, and no thread has ever had it. */
  readonly owners: Map<Entry, string> = new Map();
  readonly #journal: string;

  constructor(journal: string) {
    this.#journal = journal;
  }

  /** At its end, while its port can not be another connection's yet. */
  judge(entry: Entry): void {
    const { ending, detail, clientPort } = entry;
    if ((ending !== "failed" && ending !== "broken") || clientPort === 0) return;
    const lines = readFileSync(this.#journal, "utf8").split("\n");
    const accepted = lines.findLast((line) => line.endsWith(` ${clientPort}`));
    const thread = accepted?.split(" ")[1];
    if (thread === undefined) {
      if (detail === "ECONNRESET" && this.#isDying(entry)) this.owners.set(entry, "nobody");
    } else if (lines.includes(`killed ${thread}`)) this.owners.set(entry, thread);
  }

  #isDying({ sentAtMs, endedAtMs }: Entry): boolean {
    return this.deathsMs.some((atMs) => sentAtMs < atMs + DYING_MS && endedAtMs > atMs);
  }
}

/** Sockets that listen on that port: one for each data thread. */
function listeners(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines.filter((line) => line.includes(`:${hex} 00000000:0000 0A`)).length;
}

/** Until the sockets of a thread that has ended are closed. */
const DYING_MS = 200;
