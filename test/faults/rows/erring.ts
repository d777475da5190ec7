import type { Row } from "../row.ts";
import { shareOf } from "./slow.ts";

/** Some answers are errors: repeated where that is allowed, within the budget. */
export const erring: Row = {
  name: "6",
  title: "one backend answers 30 % with 502, then all answer 5 % with 502",
  async run(trial) {
    const backends = await trial.backends(5);
    const victim = backends[0]!;
    for (const { traits } of backends) traits.failStatus = 502;
    await trial.start(backends, { outlier: { ejection: "1s", failures: 15 } });
    const load = trial.load({ perSecond: 200, mix: { get: 60, put: 15, post: 25 } });
    load.start();
    await trial.sleep(500);
    victim.traits.failShare = 0.3;
    await trial.sleep(trial.pick(500, 5_000));
    const share = await shareOf(trial, backends, trial.pick(1_500, 20_000));
    trial.note("its share", share);
    trial.expect(share < 0.15, `a backend that fails 30 % keeps ${share} of the requests`);
    const whileOne = repeatable(trial.ledger.filter(() => true));
    trial.expect(
      whileOne.failed === 0,
      `${whileOne.failed} repeatable requests failed with four good backends`,
    );
    for (const { traits } of backends) traits.failShare = 0.05;
    const fromMs = performance.now();
    await trial.sleep(trial.pick(1_500, 20_000));
    await load.stop();
    const whileAll = repeatable(trial.ledger.filter(({ sentAtMs }) => sentAtMs >= fromMs));
    trial.note("repeatable that failed, of", `${whileAll.failed}, ${whileAll.count}`);
    const most = mostByLuck(whileAll.count * 0.05 ** 2);
    trial.expect(
      whileAll.failed <= most,
      `${whileAll.failed} of ${whileAll.count} repeatable requests failed`,
    );
    const retries = await trial.evener.metric("evener_retries_total");
    trial.note("retries", retries);
    trial.expect(
      retries > 0 && retries <= 0.2 * load.sent + 10,
      `${retries} retries of ${load.sent} requests`,
    );
    // What was on its way when all began to fail could meet two of them, too.
    trial.isExcused = ({ status, attempts, endedAtMs }) =>
      status === 502 && attempts > 1 && endedAtMs >= fromMs;
  },
};

/**
 * How many may fail where both of two tries fail by their own dice: the mean and five deviations of a Poisson
 * distribution, which less than one run in 10,000 exceeds. Without a second try 20 times the mean fail.
 */
function mostByLuck(mean: number): number {
  return mean + 5 * Math.sqrt(mean) + 1;
}

function repeatable(entries: readonly { kind: string; ending: string | null }[]): {
  failed: number;
  count: number;
} {
  const those = entries.filter(({ kind }) => kind !== "post");
  return { failed: those.filter(({ ending }) => ending === "answered").length, count: those.length };
}
