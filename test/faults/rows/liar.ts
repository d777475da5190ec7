import type { Row } from "../row.ts";

/** Probes pass, and every request fails at once: the black hole of naive balancers. */
export const liar: Row = {
  name: "28",
  title: "a backend passes its probes and answers everything with 500 at once",
  async run(trial) {
    const backends = await trial.backends(5);
    const liar = backends[0]!;
    await trial.start(backends, { outlier: { ejection: trial.pick("400ms", "4s") } });
    const load = trial.load({ perSecond: 200, mix: { get: 60, put: 15, post: 25 } });
    load.start();
    await trial.sleep(500);
    const before = liar.deliveries;
    liar.traits.failShare = 1;
    await trial.untilOut(liar);
    const attracted = liar.deliveries - before;
    trial.note("requests until ejected", attracted);
    trial.expect(attracted <= 20, `it attracted ${attracted} requests until it was ejected`);
    const ejectedAt = liar.deliveries;
    await trial.sleep(trial.pick(1_200, 15_000));
    const trials = liar.deliveries - ejectedAt;
    trial.note("requests while out", trials);
    // One on each probation, which come at doubling distances.
    trial.expect(trials <= trial.pick(4, 6), `it got ${trials} requests while it was out`);
    liar.traits.failShare = 0;
    // Each ejection is twice as long as the one before.
    await trial.untilWell(liar, trial.pick(10_000, 40_000));
    await load.stop();
    trial.isExcused = ({ status, code }) => status === 500 && code === "";
    const failed = trial.ledger.count(({ ending }) => ending === "answered");
    trial.note("requests that failed", failed);
    trial.expect(failed <= 30, `${failed} requests were answered with its errors`);
  },
};
