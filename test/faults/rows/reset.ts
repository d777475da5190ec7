import { reject } from "../namespace.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";
import type { WorkBackend } from "../work-backend.ts";

/** RST at every point of an exchange, and refused connections. */
export const reset: Row = {
  name: "7",
  title: "connections are refused, or reset after accept, before the answer, in the answer",
  isLong: true,
  async run(trial) {
    const backends = await trial.backends(4);
    const victim = backends[0]!;
    // Half of its connections: enough successes that it is not ejected for good.
    victim.traits.resetShare = 0.5;
    const connections = { idle_timeout: "1s" };
    const evener = await trial.start(backends, { outlier: "off", policy: "round_robin", connections });
    await trial.until(() => victim.probes > 0, "the first probes");
    const before = evener.descriptors;
    // Reset on a kept-alive connection and on a fresh one: two tries, which is what `attempts` allows.
    trial.isExcused = ({ attempts, code }) => attempts >= 2 && code === "EVENER_BACKEND_RESET";
    const load = trial.load({ perSecond: trial.pick(150, 300), workMs: 5, events: 5 });
    load.start();
    for (const where of ["accept", "head", "answer"] as const) {
      victim.traits.resets = where;
      await untilReset(trial, victim, trial.pick(40, 3_300));
    }
    victim.traits.resets = "never";
    await refuse(trial, victim);
    await trial.sleep(300);
    await load.stop();
    load.close();
    // A probe or two may be under way.
    await trial.until(() => evener.descriptors <= before + 8, "all descriptors to be given back");
    trial.note("descriptors before and after", `${before}, ${evener.descriptors}`);
  },
};

/** Until the victim has been sent so many requests, or so many connections for resets at accept. */
async function untilReset(trial: Trial, victim: WorkBackend, count: number): Promise<void> {
  const seen = (): number => victim.accepted + victim.deliveries;
  const from = seen();
  // At least 30 a second on a machine that is not busy.
  for (let i = 0; i < count * 4 && seen() - from < count; i++) await trial.sleep(100);
  trial.expect(seen() - from >= count, `the victim saw ${seen() - from} of ${count}`);
}

async function refuse(trial: Trial, victim: WorkBackend): Promise<void> {
  if (trial.isFull) {
    const undo = reject(victim.port);
    trial.after(undo);
    await trial.sleep(2_000);
    undo();
  }
  await victim.die();
  await trial.sleep(500);
  await victim.revive();
}
