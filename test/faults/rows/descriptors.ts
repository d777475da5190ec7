import { visit, type Visitor } from "../crowd.ts";
import type { Row } from "../row.ts";
import type { Trial } from "../trial.ts";

/** No descriptors are left: who is in stays in, who comes is told, and it goes on by itself. */
export const descriptors: Row = {
  name: "19",
  title: "clients take all descriptors (at most 256)",
  async run(trial) {
    const backends = await trial.backends(5);
    const evener = await trial.start(backends, {}, {}, ["prlimit", "--nofile=256:256"]);
    const gapMs = trial.pick(40, 200);
    const load = trial.load({ events: 50, eventGapMs: gapMs, perSecond: 30 });
    const inside = Array.from({ length: 20 }, () => load.send("sse"));
    await trial.until(() => backends.reduce((sum, it) => sum + it.inFlight, 0) === 20, "20 open streams");
    const rounds = trial.pick(1, 3);
    let refused = 0;
    let kept = 0;
    for (let round = 0; round < rounds; round++) {
      const crowd = await crowdIn(trial, 400);
      refused += crowd.filter(({ text }) => text.startsWith("HTTP/1.1 503")).length;
      const silent = crowd.filter(({ isClosed, text }) => isClosed && text === "");
      trial.expect(silent.length === 0, `${silent.length} connections were closed without a word`);
      kept += crowd.filter(({ isClosed }) => !isClosed).length;
      trial.expect(evener.descriptors < 250, `Evener has ${evener.descriptors} of 256 descriptors open`);
      for (const { socket } of crowd) socket.destroy();
      const freedMs = performance.now();
      await trial.until(() => evener.descriptors < 120, "the descriptors to be free again");
      const after = load.send("get");
      await trial.until(() => after.ending !== null, "an answer after the crowd has gone");
      trial.expect(
        after.ending === "ok",
        `a request after the crowd ended as ${after.ending} ${after.status}`,
      );
      trial.expectTime(performance.now() - freedMs < 1_000, "it took longer than 1 s to accept again");
    }
    trial.note("connections refused, kept", `${refused}, ${kept}`);
    trial.expect(refused > 100 && kept > 30, `${refused} were refused, ${kept} were kept`);
    await load.stop();
    trial.expect(
      inside.every(({ ending }) => ending === "ok"),
      "a stream that was open did not finish",
    );
  },
};

/** Clients that connect, and send nothing. */
async function crowdIn(trial: Trial, count: number): Promise<Visitor[]> {
  const crowd = Array.from({ length: count }, (_, i) => visit(trial.evener.port, i));
  trial.after(() => crowd.forEach(({ socket }) => socket.destroy()));
  let heard = -1;
  for (let calm = 0; calm < 5;) {
    await trial.sleep(50);
    const now = crowd.filter(({ text, isClosed }) => text !== "" || isClosed).length;
    calm = now === heard ? calm + 1 : 0;
    heard = now;
  }
  return crowd;
}
