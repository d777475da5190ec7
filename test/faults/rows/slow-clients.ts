import { visit, type Visitor } from "../crowd.ts";
import type { Row } from "../row.ts";
import { quantileMs, type Trial } from "../trial.ts";

/** Heads that drip in, and never end. */
export const slowClients: Row = {
  name: "slowloris",
  title: "thousands of clients send their heads a byte at a time",
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    const limits = { header_timeout: trial.pick("1s", "10s") };
    await trial.start(backends, {}, { limits });
    const load = trial.load({ events: 10 });
    load.start();
    const beforeMs = await p99Ms(trial, trial.pick(1_000, 10_000));
    const count = trial.pick(300, 4_000);
    const crowd: Visitor[] = [];
    trial.after(() => crowd.forEach(({ socket }) => socket.destroy()));
    const during = p99Ms(trial, trial.pick(1_000, 9_000));
    // In a second or so: thousands in one step would stop the clients who measure, who live in this process.
    while (crowd.length < count) {
      for (let i = 0; i < OPENED_AT_ONCE && crowd.length < count; i++) {
        const visitor = visit(trial.evener.port, crowd.length);
        visitor.socket.write("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ");
        crowd.push(visitor);
      }
      await trial.sleep(10);
    }
    let drips = 0;
    // A byte every 250 ms from each, not from all at once: that would stop the clients who measure.
    const dripping = setInterval(() => {
      const from = (drips++ % DRIP_GROUPS) * (count / DRIP_GROUPS);
      for (const { socket, isClosed } of crowd.slice(from, from + count / DRIP_GROUPS)) {
        if (!isClosed && !socket.writableEnded) socket.write("a");
      }
    }, 10);
    trial.after(() => clearInterval(dripping));
    const duringMs = await during;
    await trial.until(() => crowd.every(({ isClosed }) => isClosed), "the end of all slow heads");
    clearInterval(dripping);
    const told = crowd.filter(({ text }) => text.startsWith("HTTP/1.1 408")).length;
    trial.note("slow clients, told 408", `${count}, ${told}`);
    trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
    trial.expect(drips > 2 * DRIP_GROUPS && told === count, `${told} of ${count} slow clients were told 408`);
    trial.expectTime(duringMs < 2 * beforeMs, `p99 of the others went from ${beforeMs} to ${duringMs} ms`);
    await load.stop();
  },
};

const DRIP_GROUPS = 25;
const OPENED_AT_ONCE = 40;

/** p99 of the requests that are sent and answered in the next `ms`, streams left out. */
export async function p99Ms(trial: Trial, ms: number): Promise<number> {
  const fromMs = performance.now();
  await trial.sleep(ms);
  return quantileMs(
    trial.ledger.filter(
      ({ sentAtMs, ending, kind }) => sentAtMs >= fromMs && ending === "ok" && kind !== "sse",
    ),
    0.99,
  );
}
