import { mountTmpfs } from "../namespace.ts";
import type { Row } from "../row.ts";

/** The access log can not be written. */
export const diskFull: Row = {
  name: "20",
  title: "the disk of the access log is full",
  async run(trial) {
    const backends = await trial.backends(3);
    // /dev/full has never room; a namespace of our own can have a small disk that fills up.
    const file = trial.isFull ? `${mountTmpfs(trial, "64k")}/access.log` : "/dev/full";
    const evener = await trial.start(backends, {}, { access_log: { file } });
    const load = trial.load({ perSecond: trial.pick(150, 300), events: 10 });
    load.start();
    await trial.until(
      async () => (await evener.metric("evener_access_log_dropped_total")) > 50,
      "dropped lines",
    );
    await trial.sleep(trial.pick(300, 10_000));
    await load.stop();
    trial.note("lines dropped", await evener.metric("evener_access_log_dropped_total"));
    const failed = trial.ledger.count(({ ending }) => ending !== "ok");
    trial.expect(failed === 0, `${failed} requests failed because of a log`);
  },
};
