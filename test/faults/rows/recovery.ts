import type { Row } from "../row.ts";

/** One comes back cold: it must not be overrun. */
export const recovery: Row = {
  name: "23",
  title: "1 of 5 backends returns cold: its share grows slowly",
  async run(trial) {
    const backends = await trial.backends(5);
    const victim = backends[0]!;
    await trial.start(backends, { slow_start: trial.pick("2s", "20s") });
    const load = trial.load({ perSecond: 200, mix: { get: 60, put: 15, post: 25 } });
    load.start();
    await trial.sleep(500);
    await victim.die();
    await trial.untilOut(victim);
    await trial.sleep(300);
    const accepted = victim.accepted;
    await victim.revive();
    await trial.untilWell(victim);
    const total = (): number => backends.reduce((sum, { deliveries }) => sum + deliveries, 0);
    const windows = 4;
    const shares: number[] = [];
    for (let i = 0; i < windows; i++) {
      const before = { its: victim.deliveries, all: total() };
      await trial.sleep(trial.pick(500, 5_000));
      shares.push((victim.deliveries - before.its) / (total() - before.all));
    }
    await load.stop();
    trial.note("its share by quarter of the ramp", shares.map((share) => share.toFixed(2)).join(" "));
    // 1.2 times the fair share of 0.2, and two standard deviations of a hundred requests in short runs.
    const most = trial.pick(0.32, 0.24);
    trial.expect(Math.max(...shares) <= most, `its share went up to ${Math.max(...shares)}`);
    trial.expect(shares[0]! <= trial.pick(0.16, 0.12), `its share began with ${shares[0]}`);
    const connections = victim.accepted - accepted - victim.probes;
    trial.expect(connections <= trial.pick(40, 60), `${connections} connections were opened to it at once`);
  },
};
