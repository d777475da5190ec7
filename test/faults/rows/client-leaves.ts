import type { Row } from "../row.ts";

/** Half of the clients leave in the middle of their streams. */
export const clientLeaves: Row = {
  name: "31",
  title: "half of the clients leave in the middle of their stream",
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    await trial.start(backends);
    const perSecond = trial.pick(150, 300);
    const load = trial.load({ perSecond, mix: { sse: 1 }, events: 100, eventGapMs: 5, leavers: 0.5 });
    load.start();
    const streams = trial.pick(350, 10_000);
    for (let i = 0; i < 1_000 && load.sent < streams; i++) await trial.sleep(100);
    load.pause();
    const left = (): number => trial.ledger.count(({ ending }) => ending === "left");
    const cancelled = (): number => backends.reduce((sum, backend) => sum + backend.cancelled, 0);
    const leftThen = left();
    await trial.sleep(100);
    trial.expectTime(cancelled() >= leftThen, "a backend still works for a client that left 100 ms ago");
    await load.stop();
    await trial.until(() => cancelled() >= left(), "the end of the work for clients that left");
    trial.note("clients left", left());
    trial.expect(left() > streams / 4, `${left()} clients left`);
    trial.expect(cancelled() === left(), `${cancelled()} streams were cancelled, ${left()} clients left`);
    for (const { name, inFlight } of backends)
      trial.expect(inFlight === 0, `${name} has ${inFlight} in flight`);
    const { backends: seen } = await trial.evener.pool();
    const failures = seen.reduce((sum, backend) => sum + backend.failures, 0);
    trial.expect(failures === 0, `${failures} aborts of clients were booked as failures of backends`);
  },
};
