import { blackhole } from "../namespace.ts";
import type { Row } from "../row.ts";

/** SIGSTOP: the kernel accepts connections, and nobody answers. In a namespace also: packets vanish. */
export const frozen: Row = {
  name: "4",
  title: "a backend freezes (SIGSTOP), or its packets are dropped",
  async run(trial) {
    const victim = await trial.victim("v");
    const others = await trial.backends(4);
    const on = ["connect_failure", "reset", "first_byte_timeout"];
    await trial.start([victim, ...others], {
      health: { path: "/health", interval: "300ms", timeout: "300ms", down_interval: "200ms" },
      timeouts: { connect: "1s", first_byte: "1s" },
      retry: { on },
    });
    const load = trial.load();
    load.start();
    await trial.sleep(500);
    const frozenAtMs = performance.now();
    victim.signal("SIGSTOP");
    trial.after(() => victim.signal("SIGCONT"));
    await trial.untilOut(victim);
    await trial.sleep(trial.pick(500, 3_000));
    const slowed = trial.ledger.filter(
      ({ sentAtMs, attempts, code }) =>
        sentAtMs > frozenAtMs && (attempts > 1 || code === "EVENER_FIRST_BYTE_TIMEOUT"),
    );
    trial.note("requests that found it frozen", slowed.length);
    // In flight grows where nothing ends, so that the policy itself turns away: a few, not one a tick.
    trial.expect(slowed.length <= 15, `${slowed.length} requests went to a backend that does not answer`);
    victim.signal("SIGCONT");
    await trial.untilWell(victim);
    if (trial.isFull) {
      const undo = blackhole(victim.port);
      trial.after(undo);
      await trial.untilOut(victim);
      await trial.sleep(3_000);
      undo();
      await trial.untilWell(victim);
    }
    const wellAtMs = performance.now();
    const picksBefore = (await trial.evener.backend(victim.id)).picks;
    await trial.until(
      async () => (await trial.evener.backend(victim.id)).picks > picksBefore + 20,
      "work for the backend that came back",
      // It ramps up (`slow_start`), and what is known of it is that it took a second for each request.
      trial.pick(10_000, 60_000),
    );
    trial.note("seconds until it had 20 requests", (performance.now() - wellAtMs) / 1000);
    await load.stop();
  },
};
