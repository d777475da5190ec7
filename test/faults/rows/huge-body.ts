import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/**
 * A body that fits nowhere, as fast as Evener takes it. Sender, receiver and Evener each want a core, and
 * there may be fewer. So the others' latencies are compared with those beside the same work without Evener's
 * part in it: the sender sends straight to the receiver at the same rate, and a third process keeps a core
 * busy.
 */
export const hugeBody: Row = {
  name: "huge-body",
  title: "a body of 10 GB (200 MB in short runs) goes through",
  isLong: true,
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(2);
    const receiver = await trial.victim("v");
    const { pools } = trial.config(backends) as { pools: object };
    const evener = await trial.start(
      backends,
      {},
      {
        pools: { ...pools, sink: { backends: [`http://${receiver.id}`] } },
        routes: [{ match: { path: "/sink" }, pool: "sink" }, { pool: "default" }],
      },
    );
    const load = trial.load({ events: 10, perSecond: 100 });
    load.start();
    await trial.sleep(trial.pick(200, 2_000));
    const aloneMs = await quietestP99Ms(trial);
    const before = evener.rssBytes;
    const bytes = trial.pick(200e6, 10e9);
    const through = new Sender(trial, evener.port, bytes, Infinity);
    const watched = watch(trial, through);
    await trial.sleep(trial.pick(50, 1_000));
    const throughMs = await quietestP99Ms(trial);
    const { most, seconds } = await watched;
    const pastMs = await besideTheSameWork(trial, receiver.port, bytes / seconds);
    const grownMiB = (most - before) / 2 ** 20;
    trial.note("MB a second", bytes / 1e6 / seconds);
    trial.note("memory grown, MiB", grownMiB);
    const p99s = [aloneMs, throughMs, pastMs].map(Math.round).join(", ");
    trial.note("p99 alone, body through Evener, past it", `${p99s} ms`);
    trial.expect(through.answer.endsWith(`ok ${through.id} ${bytes}`), `it was answered ${through.answer}`);
    trial.expect(grownMiB < 150, `memory grew by ${grownMiB} MiB`);
    trial.expectTime(
      throughMs < 2 * pastMs,
      `p99 of the others: ${pastMs} ms beside a body that goes past Evener, ${throughMs} ms through it`,
    );
    await load.stop();
  },
};

/** What the others see while a body goes past Evener at that rate, and a process works as Evener would. */
async function besideTheSameWork(trial: Trial, port: number, rate: number): Promise<number> {
  const burner = spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
  trial.after(() => burner.kill("SIGKILL"));
  const direct = new Sender(trial, port, ENDLESS_BYTES, rate);
  await trial.sleep(trial.pick(200, 1_000));
  const p99 = await quietestP99Ms(trial);
  burner.kill("SIGKILL");
  await direct.end();
  return p99;
}

/** The lowest p99 of some windows: what others do on the machine comes and goes. */
async function quietestP99Ms(trial: Trial): Promise<number> {
  const windows = trial.pick(1, 4);
  let lowestMs = Infinity;
  for (let i = 0; i < windows; i++) lowestMs = Math.min(lowestMs, await p99Ms(trial, trial.pick(500, 6_000)));
  return lowestMs;
}

/** A process that sends a body. */
class Sender {
  readonly id: string;
  answer = "";
  isDone = false;
  readonly #child: ChildProcess;

  constructor(trial: Trial, port: number, bytes: number, rate: number) {
    this.id = trial.ledger.ignore();
    const args = [PROGRAM, String(port), String(bytes), this.id, String(rate)];
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout!.on("data", (text: Buffer) => (this.answer += text.toString("latin1")));
    this.#child.on("close", () => (this.isDone = true));
    trial.after(() => this.end());
  }

  async end(): Promise<void> {
    if (this.isDone) return;
    const gone = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** The most memory that Evener has until it is sent, and how long that takes. */
async function watch(trial: Trial, sender: Sender): Promise<{ most: number; seconds: number }> {
  const fromMs = performance.now();
  let most = 0;
  const isDone = (): boolean => {
    most = Math.max(most, trial.evener.rssBytes);
    return sender.isDone;
  };
  await trial.until(isDone, "the answer to the body", BODY_MS_MAX);
  return { most, seconds: (performance.now() - fromMs) / 1000 };
}

const PROGRAM = fileURLToPath(new URL("../body-sender.ts", import.meta.url));
/** More than goes anywhere while it is measured. */
const ENDLESS_BYTES = 1e13;
const BODY_MS_MAX = 300_000;
