import { describe } from "../ledger.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";

/** SIGUSR2 with streams open: another process takes over, and nobody notices. */
export const handover: Row = {
  name: "14b",
  title: "another process takes over while streams are open and connections come",
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    const limited = await trial.backends(2, "x");
    const limit = 2;
    const threads = trial.seed % 2 === 0 ? 0 : 2;
    const { pools } = trial.config(backends) as { pools: object };
    const scarce = { backends: limited.map(({ id }) => ({ url: `http://${id}`, limit })) };
    const evener = await trial.start(
      backends,
      {},
      {
        threads,
        drain: { timeout: trial.pick("10s", "60s") },
        pools: { ...pools, scarce },
        routes: [{ match: { header: { "x-pool": "scarce" } }, pool: "scarce" }, { pool: "default" }],
      },
    );
    const loads = [
      trial.load({ perSecond: 80, events: 20 }),
      // No connection of it is older than its request: whoever does not accept is seen at once.
      trial.load({ perSecond: 80, isFresh: true, mix: { get: 60, put: 15, post: 25 } }),
      // Three quarters of what two backends of two places can do: there is nearly always somebody who waits.
      trial.load({ perSecond: 75, workMs: 40, mix: { get: 1 }, headers: () => ({ "x-pool": "scarce" }) }),
    ];
    for (const load of loads) load.start();
    const count = trial.pick(100, 1_000);
    const streams = trial.load({ events: 50, eventGapMs: trial.pick(120, 400), mix: { sse: 1 } });
    const opened = Array.from({ length: count }, () => streams.send("sse"));
    await trial.until(() => opened.every(({ status }) => status === 200), `${count} streams`);
    const fromMs = performance.now();
    await evener.handOver();
    trial.note("data threads", threads);
    trial.note("accepted by the next one after, ms", performance.now() - fromMs);
    trial.note("streams open then", streams.running);
    trial.expectTime(streams.running === count, `only ${streams.running} streams were open at the handover`);
    await streams.stop();
    await trial.until(() => evener.firstEnded !== null, "the end of the process before");
    await trial.sleep(trial.pick(300, 3_000));
    await Promise.all(loads.map((load) => load.stop()));
    judge(trial);
    const most = Math.max(...limited.map(({ inFlightMax }) => inFlightMax));
    trial.expect(most === limit, `a backend with a limit of ${limit} had ${most} requests at once`);
  },
};

/** Nothing may end other than well: what either process has refused, reset or cut, its client sees. */
function judge(trial: Trial): void {
  const { evener } = trial;
  const bad = trial.ledger.filter(({ ending }) => ending !== "ok");
  trial.expect(
    bad.length === 0,
    `${bad.length} did not end well:\n${bad.slice(0, 8).map(describe).join("\n")}`,
  );
  trial.expect(evener.firstEnded === "0", `the process before ended with ${evener.firstEnded}`);
  const hasCutNothing = evener.log.some((line) => line.includes("nothing was cut"));
  trial.expect(hasCutNothing, `it did not say that nothing was cut: ${evener.log.slice(-4).join(" | ")}`);
}
