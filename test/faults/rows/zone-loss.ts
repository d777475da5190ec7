import type { Row } from "../row.ts";

/** Half, then most of the backends die within a second. */
export const zoneLoss: Row = {
  name: "26",
  title: "5 of 10 backends die within a second, then 3 more",
  async run(trial) {
    const backends = await trial.backends(10);
    await trial.start(backends);
    const load = trial.load({ perSecond: 200, workMs: 10, events: 10 });
    load.start();
    await trial.sleep(700);
    const kill = async (from: number, to: number): Promise<void> => {
      for (const backend of backends.slice(from, to)) {
        await backend.die();
        await trial.sleep(1_000 / (to - from));
      }
    };
    await kill(0, 5);
    await trial.sleep(trial.pick(500, 10_000));
    await kill(5, 8);
    await trial.sleep(trial.pick(500, 15_000));
    const deadFor = performance.now();
    await trial.sleep(500);
    const { ledger } = trial;
    const late = ledger.count(({ sentAtMs, ending }) => sentAtMs > deadFor && ending === "answered");
    trial.expect(late === 0, `${late} requests failed long after the deaths`);
    await Promise.all(backends.slice(0, 8).map((backend) => backend.revive()));
    await trial.until(async () => {
      const { backends: seen, panic } = await trial.evener.pool();
      return !panic && seen.every(({ state }) => state === "up" || state === "slow");
    }, "all backends back");
    await load.stop();
    const modes = (await trial.evener.events()).filter(({ kind }) => kind.startsWith("panic_"));
    trial.note("panic on and off", modes.length);
    trial.expect(modes.length <= 4, `panic changed ${modes.length} times: ${JSON.stringify(modes)}`);
  },
};
