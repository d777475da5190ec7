import type { Entry } from "../ledger.ts";
import type { Load } from "../load.ts";
import type { Row } from "../row.ts";

/** Everything fails and every client tries three times more: the budget keeps Evener from adding to it. */
export const retryStorm: Row = {
  name: "24",
  title: "every backend fails, and clients retry three times",
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    for (const { traits } of backends) traits.failStatus = 502;
    await trial.start(backends);
    const generations = new Map<string, number>();
    const again = (entry: Entry, load: Load): void => {
      const generation = generations.get(entry.id) ?? 0;
      if (entry.ending === "ok" || generation >= 3) return;
      generations.set(load.send(entry.kind).id, generation + 1);
    };
    const load: Load = trial.load({
      perSecond: 100,
      mix: { get: 75, put: 25 },
      workMs: 10,
      onEnd: (entry) => again(entry, load),
    });
    load.start();
    await trial.sleep(trial.pick(800, 10_000));
    for (const { traits } of backends) traits.failShare = 1;
    const failingFrom = load.sent;
    await trial.sleep(trial.pick(2_500, 30_000));
    trial.note("offered while failing", load.sent - failingFrom);
    // The budget goes by the last 10 s, so the good ones before count as offered, too.
    const deliveries = backends.reduce((sum, backend) => sum + backend.deliveries, 0);
    const amplification = deliveries / load.sent;
    for (const { traits } of backends) traits.failShare = 0;
    const healedAtMs = performance.now();
    trial.note("amplification", amplification);
    trial.expect(amplification <= 1.2, `Evener made ${amplification} attempts of each request`);
    trial.isExcused = ({ sentAtMs }) => sentAtMs < healedAtMs + 1_000;
    await trial.until(
      () => trial.ledger.count(({ sentAtMs, ending }) => sentAtMs > healedAtMs && ending === "ok") > 50,
      "good answers after the heal",
    );
    await trial.sleep(trial.pick(500, 10_000));
    await load.stop();
    const after = trial.ledger.filter(({ sentAtMs }) => sentAtMs > healedAtMs + 200);
    const good = after.filter(({ ending }) => ending === "ok").length / after.length;
    trial.note("goodput after", good);
    trial.expect(good >= 0.95, `${good} of the requests after the heal were answered well`);
  },
};
