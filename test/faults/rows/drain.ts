import type { Row } from "../row.ts";

/** SIGTERM with streams open: they finish; what is too long is cut for all to see. */
export const drain: Row = {
  name: "14",
  title: "Evener is told to stop while streams are open",
  isHeavy: true,
  async run(trial) {
    const backends = await trial.backends(5);
    const drainMs = trial.pick(3_000, 30_000);
    const evener = await trial.start(backends, {}, { drain: { timeout: `${drainMs}ms` } });
    const count = trial.pick(100, 1_000);
    const gapMs = trial.pick(40, 400);
    const short = trial.load({ events: 50, eventGapMs: gapMs, mix: { sse: 1 } });
    const long = trial.load({ events: 100, eventGapMs: 2 * gapMs, mix: { sse: 1 } });
    const finishing = Array.from({ length: count }, () => short.send("sse"));
    const tooLong = Array.from({ length: 10 }, () => long.send("sse"));
    const working = (): number => backends.reduce((sum, { inFlight }) => sum + inFlight, 0);
    await trial.until(() => working() === count + 10, `${count + 10} streams`);
    trial.mayHaveEnded = true;
    evener.signal("SIGTERM");
    await trial.until(() => evener.log.some((line) => line.includes("stopping")), "the begin of the drain");
    const refused = long.send("get");
    await trial.until(() => refused.ending !== null, "the refusal of a new connection");
    trial.expect(refused.detail === "ECONNREFUSED", `a new connection ended as ${refused.detail}`);
    trial.isExcused = (entry) => entry === refused;
    await short.stop();
    // What is left is cut at the end of the drain, up to 30 s later at full length.
    for (let i = 0; i < 400 && evener.ended === null; i++) await trial.sleep(100);
    trial.expect(
      evener.ended === "0",
      `Evener ended with ${evener.ended}; ${evener.log.slice(-4).join(" | ")}`,
    );
    await long.stop();
    const unfinished = finishing.filter(({ ending }) => ending !== "ok").length;
    trial.note("streams that finished, were cut", `${count - unfinished}, ${tooLong.length}`);
    trial.expect(unfinished === 0, `${unfinished} streams had time to finish and did not`);
    const cut = tooLong.filter(({ ending }) => ending === "broken").length;
    trial.expect(cut === tooLong.length, `${cut} of ${tooLong.length} streams ended uncleanly at the end`);
  },
};
