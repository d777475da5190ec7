import net from "node:net";
import { within } from "../../fixtures/until.ts";
import { visit } from "../crowd.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/** A body that fits nowhere. */
export const hugeBody: Row = {
  name: "huge-body",
  title: "a body of 10 GB (200 MB in short runs) goes through",
  isLong: true,
  isHeavy: true,
  async run(trial) {
    const [backend, ...others] = await trial.backends(3);
    const evener = await trial.start([backend!, ...others]);
    const load = trial.load({ events: 10, perSecond: 50 });
    load.start();
    const beforeMs = await p99Ms(trial, trial.pick(700, 5_000));
    const before = evener.rssBytes;
    const bytes = trial.pick(200e6, 10e9);
    const id = trial.ledger.ignore();
    const client = visit(evener.port, 0);
    trial.after(() => client.socket.destroy());
    client.socket.write(
      `POST /work HTTP/1.1\r\nhost: a\r\nx-test-id: ${id}\r\ncontent-length: ${bytes}\r\n\r\n`,
    );
    const sending = send(client.socket, bytes);
    const duringMs = await p99Ms(trial, trial.pick(500, 5_000));
    const most = await watch(trial, sending);
    await trial.until(() => client.text.endsWith(`ok ${id} ${bytes}`), "the answer");
    const grownMiB = (most - before) / 2 ** 20;
    trial.note("memory grown, MiB", grownMiB);
    trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
    trial.expect(grownMiB < 150, `memory grew by ${grownMiB} MiB`);
    client.socket.destroy();
    await load.stop();
  },
};

async function send(socket: net.Socket, bytes: number): Promise<void> {
  let left = bytes;
  while (left > 0 && !socket.destroyed) {
    const piece = PIECE.subarray(0, Math.min(left, PIECE.length));
    left -= piece.length;
    if (!socket.write(piece)) await within(takenOrClosed(socket), `room for the last ${left} bytes`);
  }
}

/** Whichever is first. */
function takenOrClosed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}

/** The most memory that Evener has while that goes on. */
async function watch(trial: Trial, going: Promise<void>): Promise<number> {
  let most = 0;
  const over = going.then(() => true);
  for (let i = 0; i < WATCHES_MAX; i++) {
    most = Math.max(most, trial.evener.rssBytes);
    if (await Promise.race([over, trial.sleep(50)])) return most;
  }
  throw new Error("the body was not taken in time");
}

const PIECE: Buffer = Buffer.alloc(64 * 1024, "h");
/** Of 50 ms: five minutes. */
const WATCHES_MAX = 6_000;
