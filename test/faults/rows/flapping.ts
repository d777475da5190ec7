import type { Row } from "../row.ts";
import { quantileMs, type Trial } from "../trial.ts";
import { p99Ms } from "./slow-clients.ts";

/** It dies and comes back again and again: the more often, the longer it stays out. */
export const flapping: Row = {
  name: "27",
  title: "a backend flaps: up for a while, dead for a while",
  isLong: true,
  async run(trial) {
    const backends = await trial.backends(5);
    const victim = backends[0]!;
    await trial.start(backends);
    const load = trial.load({ perSecond: 100, events: 20 });
    load.start();
    const beforeMs = await p99Ms(trial, trial.pick(500, 10_000));
    const before = { its: victim.deliveries, all: backends.reduce((sum, it) => sum + it.deliveries, 0) };
    const flapsFromMs = performance.now();
    const phaseMs = trial.pick(250, 2_000);
    for (let round = 0; round < trial.pick(8, 150); round++) {
      await victim.die();
      await trial.sleep(phaseMs);
      await victim.revive();
      await trial.sleep(phaseMs);
    }
    await load.stop();
    const all = backends.reduce((sum, it) => sum + it.deliveries, 0) - before.all;
    const share = (victim.deliveries - before.its) / (all / 5);
    trial.note("of its fair share", share);
    const duringMs = p99SinceMs(trial, flapsFromMs);
    trial.note("p99 before, during", `${beforeMs.toFixed(0)}, ${duringMs.toFixed(0)} ms`);
    const ejections = (await trial.evener.events()).filter(
      ({ kind, backend }) => kind === "ejected" && backend === victim.id,
    );
    trial.note("ejections", ejections.length);
    trial.note("the last", ejections.at(-1)?.evidence ?? "none");
    trial.expect(share <= trial.pick(0.3, 0.05), `a backend that flaps gets ${share} of its fair share`);
    trial.expectTime(duringMs <= 1.2 * beforeMs, `p99 of all went from ${beforeMs} to ${duringMs} ms`);
  },
};

/** p99 of what was sent since and answered, streams left out. */
function p99SinceMs({ ledger }: Trial, fromMs: number): number {
  const its = ledger.filter(
    ({ sentAtMs, ending, kind }) => sentAtMs >= fromMs && ending === "ok" && kind !== "sse",
  );
  return quantileMs(its, 0.99);
}
