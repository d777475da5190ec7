import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/**
 * A body that fits nowhere. Its sender and its receiver are processes of their own that take what they get of
 * the processor. So the others' latencies are measured three times: alone; while the body goes from the sender
 * straight to the receiver, which shows what these two do to a machine; and while it goes through Evener.
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
    const measureMs = trial.pick(500, 10_000);
    await trial.sleep(trial.pick(200, 2_000));
    const aloneMs = await p99Ms(trial, measureMs);
    const direct = new Sender(trial, receiver.port, ENDLESS_BYTES);
    await trial.sleep(trial.pick(200, 1_000));
    const directMs = await p99Ms(trial, measureMs);
    await direct.end();
    await trial.sleep(trial.pick(100, 2_000));
    const before = evener.rssBytes;
    const bytes = trial.pick(200e6, 10e9);
    const through = new Sender(trial, evener.port, bytes);
    const watched = watch(trial, through);
    await trial.sleep(trial.pick(50, 1_000));
    const throughMs = await p99Ms(trial, measureMs);
    const { most, seconds } = await watched;
    const grownMiB = (most - before) / 2 ** 20;
    trial.note("MB a second", bytes / 1e6 / seconds);
    trial.note("memory grown, MiB", grownMiB);
    trial.note(
      "p99 alone, body past Evener, through it",
      `${[aloneMs, directMs, throughMs].map(Math.round).join(", ")} ms`,
    );
    trial.expect(through.answer.endsWith(`ok ${through.id} ${bytes}`), `it was answered ${through.answer}`);
    trial.expect(grownMiB < 150, `memory grew by ${grownMiB} MiB`);
    trial.expectTime(
      throughMs < 2 * directMs,
      `p99 of the others: ${directMs} ms while the body goes past Evener, ${throughMs} ms through it`,
    );
    await load.stop();
  },
};

/** A process that sends a body. */
class Sender {
  readonly id: string;
  answer = "";
  isDone = false;
  readonly #child: ChildProcess;

  constructor(trial: Trial, port: number, bytes: number) {
    this.id = trial.ledger.ignore();
    const args = [PROGRAM, String(port), String(bytes), this.id];
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
