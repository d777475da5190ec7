import { describe } from "../ledger.ts";
import type { Row } from "../row.ts";

/** SIGKILL while only idle connections are open: the next requests go over dead connections at first. */
export const killedIdle: Row = {
  name: "1",
  title: "a backend is killed while its kept-alive connections are idle",
  async run(trial) {
    const victim = await trial.victim("v");
    const others = await trial.backends(4);
    await trial.start([victim, ...others], { policy: "round_robin" });
    const load = trial.load({ events: 10 });
    const rounds = trial.pick(2, 8);
    for (let round = 0; round < rounds; round++) {
      load.start();
      await trial.sleep(trial.pick(500, 2_000));
      await load.stop();
      await victim.kill();
      // At once, all at once: some find a connection whose end Evener has not seen yet.
      for (let i = 0; i < 10; i++)
        for (const kind of ["get", "put", "post", "chat"] as const) load.send(kind);
      await load.stop();
      if (round === rounds - 1) break;
      await victim.start();
      load.start();
      await trial.untilWell(victim);
      await load.stop();
    }
    const { ledger } = trial;
    const posts = ledger.count(({ kind }) => kind === "post");
    const failedPosts = ledger.filter(({ kind, ending }) => kind === "post" && ending !== "ok");
    trial.note("POSTs answered 502", failedPosts.length);
    // A POST that was written to a dying connection may not be repeated: the matrix allows 0.1 % of them.
    trial.expect(failedPosts.length <= Math.max(1, posts / 1000), failedPosts.map(describe).join("\n"));
  },
};
