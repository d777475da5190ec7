import type { Row } from "../row.ts";
import { quantileMs } from "../trial.ts";

/** SIGKILL while requests wait for their first byte. */
export const killedWaiting: Row = {
  name: "2",
  title: "a backend is killed before it has answered",
  async run(trial) {
    const victim = await trial.victim("v");
    const others = await trial.backends(2);
    await trial.start([victim, ...others]);
    const load = trial.load({ workMs: 200 });
    let unsafeInFlight = 0;
    const rounds = trial.pick(1, 6);
    for (let round = 0; round < rounds; round++) {
      load.start();
      await trial.sleep(trial.pick(300, 2_000));
      await trial.untilWorking(victim, "post");
      const killedAtMs = performance.now();
      await victim.kill();
      await trial.sleep(trial.pick(500, 1_500));
      await load.stop();
      const cut = trial.ledger.filter(
        ({ status, sentAtMs, endedAtMs }) =>
          status === 502 && sentAtMs < killedAtMs && endedAtMs > killedAtMs,
      );
      unsafeInFlight += cut.length;
      const lateMs = quantileMs(
        cut.map((entry) => ({ ...entry, sentAtMs: killedAtMs })),
        1,
      );
      if (cut.length > 0) trial.expectTime(lateMs <= 200, `a 502 came ${lateMs} ms after the death`);
      if (round === rounds - 1) break;
      await victim.start();
      load.start();
      await trial.untilWell(victim);
      load.pause();
    }
    trial.note("unsafe in flight", unsafeInFlight);
    trial.expect(unsafeInFlight > 0, "no request that may not be repeated was in flight at a death");
    for (const { id, kind, ending, code } of trial.ledger.entries.values()) {
      if (ending !== "answered") continue;
      trial.expect(kind === "post" && code === "EVENER_BACKEND_RESET", `${id} was answered ${code}`);
    }
  },
};
