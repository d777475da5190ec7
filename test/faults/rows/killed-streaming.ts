import type { Row } from "../row.ts";

/** SIGKILL in the middle of streams. */
export const killedStreaming: Row = {
  name: "3",
  title: "a backend is killed in the middle of streams",
  async run(trial) {
    const victim = await trial.victim("v");
    const others = await trial.backends(2);
    await trial.start([victim, ...others]);
    const load = trial.load({ mix: { sse: 40, get: 40, post: 20 }, events: 100, perSecond: 80 });
    const rounds = trial.pick(1, 6);
    for (let round = 0; round < rounds; round++) {
      load.start();
      await trial.sleep(trial.pick(500, 2_000));
      await trial.untilWorking(victim, "sse", 2);
      const killedAtMs = performance.now();
      await victim.kill();
      await trial.sleep(500);
      await load.stop();
      const cut = trial.ledger.filter(
        ({ ending, endedAtMs }) => ending === "broken" && endedAtMs > killedAtMs,
      );
      trial.expect(cut.length > 0, "no stream was open on the victim");
      const lateMs = Math.max(...cut.map(({ endedAtMs }) => endedAtMs - killedAtMs));
      trial.expectTime(lateMs <= 200, `a client saw the end of its stream ${lateMs} ms after the death`);
      trial.note(
        "streams cut",
        trial.ledger.count(({ ending }) => ending === "broken"),
      );
      if (round === rounds - 1) break;
      await victim.start();
      load.start();
      await trial.untilWell(victim);
      load.pause();
    }
    // At the first refused connection, or by its probes where those were first.
    const out = (await trial.evener.events()).filter(
      ({ backend, kind }) => backend === victim.id && (kind === "ejected" || kind === "probe_down"),
    );
    trial.expect(out.length > 0, "the victim was not taken out");
  },
};
