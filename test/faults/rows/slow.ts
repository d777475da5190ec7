import type { Row } from "../row.ts";
import type { Entry } from "../ledger.ts";
import { quantileMs, type Trial } from "../trial.ts";
import type { WorkBackend } from "../work-backend.ts";
import { p99Ms } from "./slow-clients.ts";

/** One backend becomes slow while its health endpoint is fine; then all do. */
export const slow: Row = {
  name: "5",
  title: "a backend becomes 10 times slower; then all become 3 times slower",
  async run(trial) {
    const backends = await trial.backends(5);
    const victim = backends[0]!;
    await trial.start(backends);
    const load = trial.load({ perSecond: 200, mix: { get: 60, put: 15, post: 25 } });
    load.start();
    const baselineMs = await p99Ms(trial, trial.pick(1_200, 10_000));
    victim.traits.slowness = 10;
    const slowFromMs = performance.now();
    const before = victim.deliveries;
    await trial.sleep(trial.pick(1_200, 10_000));
    const share = await shareOf(trial, backends, trial.pick(1_000, 10_000));
    trial.note("its share", share);
    trial.note("requests until then", victim.deliveries - before);
    // On a busy machine all are slow, and it is less than 10 times slower: what its clients saw counts.
    const ratio = slownessOf(trial, victim, slowFromMs);
    trial.note("times slower, as seen", ratio);
    const most = Math.min(0.2, trial.pick(1, 0.4) / ratio);
    trial.expect(share <= most, `a backend ${ratio} times slower keeps ${share} of the requests`);
    const slowMs = await p99Ms(trial, trial.pick(500, 10_000));
    trial.note("p99 before, with the slow one", `${Math.round(baselineMs)}, ${Math.round(slowMs)} ms`);
    victim.traits.slowness = 1;
    await trial.sleep(trial.pick(500, 20_000));
    const eventsBefore = (await trial.evener.events()).length;
    for (const { traits } of backends) traits.slowness = 3;
    await trial.sleep(trial.pick(1_000, 10_000));
    const since = (await trial.evener.events()).slice(eventsBefore);
    trial.expect(!since.some(({ kind }) => kind === "ejected"), "a backend was ejected though all are slow");
    await load.stop();
  },
};

/** How many times longer than the others it took, by the medians of what has been sent since. */
function slownessOf(trial: Trial, victim: WorkBackend, fromMs: number): number {
  const answered = trial.ledger.filter(({ sentAtMs, ending }) => sentAtMs > fromMs && ending === "ok");
  const [its, others] = [[], []] as [Entry[], Entry[]];
  for (const entry of answered) (entry.backend === victim.id ? its : others).push(entry);
  trial.expect(its.length > 0, "the slow backend answered nobody");
  return quantileMs(its, 0.5) / quantileMs(others, 0.5);
}

/** The part of the deliveries of the next `ms` that the first backend gets. */
export async function shareOf(trial: Trial, backends: readonly WorkBackend[], ms: number): Promise<number> {
  const before = backends.map(({ deliveries }) => deliveries);
  await trial.sleep(ms);
  const got = backends.map(({ deliveries }, i) => deliveries - before[i]!);
  return got[0]! / got.reduce((sum, count) => sum + count, 0);
}
