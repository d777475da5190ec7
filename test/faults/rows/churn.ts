import { resetSocket } from "../../fixtures/reset.ts";
import { visit, type Visitor } from "../crowd.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/** Connections that come and go, and most of them for nothing. */
export const churn: Row = {
  name: "churn",
  title: "100,000 connections are opened and closed, up to 5,000 at once",
  isLong: true,
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    const evener = await trial.start(backends);
    const rate = (await acceptRate(trial, trial.pick(200, 3_000))) / 4;
    trial.note("connections a second", rate);
    const load = trial.load({ events: 10 });
    load.start();
    const beforeMs = await p99Ms(trial, trial.pick(700, 5_000));
    const total = trial.pick(400, 100_000);
    const open: Visitor[] = [];
    trial.after(() => open.forEach(({ socket }) => socket.destroy()));
    const during = p99Ms(trial, trial.pick(1_000, 20_000));
    const fromMs = performance.now();
    for (let opened = 0; opened < total;) {
      const due = Math.min(total, ((performance.now() - fromMs) / 1000) * Math.min(rate, RATE_MAX));
      for (; opened < due; opened++) {
        open.push(visit(evener.port, opened));
        // Half of them leave within a head, the others say nothing at all.
        if (opened % 2 === 0) open.at(-1)!.socket.write("GET / HT");
        if (open.length > trial.pick(150, 5_000)) leave(open.shift()!, opened);
      }
      await trial.sleep(5);
    }
    for (const [i, visitor] of open.entries()) leave(visitor, i);
    const duringMs = await during;
    trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
    trial.expectTime(duringMs < 2 * beforeMs, `p99 of the others went from ${beforeMs} to ${duringMs} ms`);
    await load.stop();
    load.close();
    const connections = (): Promise<number> => evener.metric("evener_client_connections");
    await trial.until(async () => (await connections()) === 0, "the end of all connections");
  },
};

/** Connections a second that Evener accepts, closed at once each. */
async function acceptRate(trial: Trial, count: number): Promise<number> {
  const fromMs = performance.now();
  const { ledger } = trial;
  for (let done = 0; done < count; done += WAVE) {
    const wave = Array.from({ length: WAVE }, (_, i) => visit(trial.evener.port, i));
    for (const { socket } of wave) {
      socket.write(
        `GET /work?ms=0 HTTP/1.1\r\nhost: a\r\nx-test-id: ${ledger.ignore()}\r\nconnection: close\r\n\r\n`,
      );
    }
    await trial.until(() => wave.every(({ isClosed }) => isClosed), "a wave of connections to be answered");
  }
  return count / ((performance.now() - fromMs) / 1000);
}

/** FIN or RST. */
function leave({ socket }: Visitor, index: number): void {
  if (index % 3 === 0) resetSocket(socket);
  else socket.destroy();
}

const WAVE = 100;
/** More than that keeps the clients busy, not Evener. */
const RATE_MAX = 2_000;
