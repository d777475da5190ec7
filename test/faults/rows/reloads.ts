import type http from "node:http";
import type { Config } from "../evener-process.ts";
import type { Entry } from "../ledger.ts";
import { Load } from "../load.ts";
import type { Row } from "../row.ts";
import { quantileMs, type Trial } from "../trial.ts";

/** The file changes all the time, and so do the backends. */
export const reloads: Row = {
  name: "10",
  title: "valid configurations are pushed all the time, and backends come and go at random",
  isLong: true,
  isHeavy: true,
  async run(trial) {
    const steady = await trial.backends(5);
    // One server at many addresses: every 127.x.y.z is this machine.
    const crowd = (await trial.backends(1, "z"))[0]!;
    await crowd.die();
    await crowd.listen(0, "0.0.0.0");
    const pushes = trial.pick(60, 1_000);
    const paceMs = trial.pick(50, 60);
    const crowdSize = trial.pick(60, 1_000);
    const addressOf = (i: number): string =>
      `127.1.${1 + Math.floor(i / 250)}.${1 + (i % 250)}:${crowd.port}`;
    const present = new Set<number>();
    const change = (): void => {
      // Each one joins once and leaves once, in random order: half of the crowd is there in the middle.
      for (let i = 0; i < Math.ceil((2 * crowdSize) / pushes); i++) {
        const who = trial.random.below(crowdSize);
        if (!present.delete(who)) present.add(who);
      }
    };
    const config = (push: number): Config => {
      const backends = [...steady, ...[...present].map((i) => ({ id: addressOf(i) }))];
      const queue = { max: 1_000 + (push % 10) };
      return trial.config(backends, { session: "cookie", slow_start: "off", queue });
    };
    await trial.start(steady, { session: "cookie", slow_start: "off" });
    const { evener } = trial;
    const sessions = await beginSessions(trial);
    const { load, baselineMs } = await beginLoad(trial, sessions);
    const streams = trial.load({ mix: { sse: 1 }, events: trial.pick(40, 600), eventGapMs: 100 });
    const open = Array.from({ length: 20 }, () => streams.send("sse"));
    await evener.change(steady[1]!.id, { weight: 2 });
    await trial.sleep(300);
    const before = { rss: evener.rssBytes, picks: (await evener.backend(steady[0]!.id)).picks };
    const fromMs = performance.now();
    for (let push = 0; push < pushes; push++) {
      change();
      const { isDone, text } = await evener.reload(config(push), trial.folder);
      trial.expect(isDone, text);
      const dueMs = fromMs + push * paceMs - performance.now();
      if (dueMs > 0) await trial.sleep(dueMs);
    }
    const tookS = (performance.now() - fromMs) / 1000;
    trial.note("pushes, seconds", `${pushes}, ${tookS.toFixed(1)}`);
    const during = trial.ledger.filter(({ sentAtMs, kind }) => sentAtMs > fromMs && kind !== "sse");
    const p99Ms = quantileMs(during, 0.99);
    trial.note("p99 before, during", `${baselineMs.toFixed(0)}, ${p99Ms.toFixed(0)} ms`);
    const status = await evener.backend(steady[1]!.id);
    trial.expect(status.weight.override === 2, "a weight that an operator set was lost");
    trial.expect(status.latency_ms !== null && status.latency_ms > 1, "what was learned was lost");
    const { picks } = await evener.backend(steady[0]!.id);
    trial.expect(picks > before.picks, "the counts began anew");
    trial.expect(
      open.every(({ ending }) => ending === null || ending === "ok"),
      "a stream was cut",
    );
    await load.stop();
    await streams.stop();
    trial.expect(moved(sessions).length === 0, `sessions moved: ${moved(sessions).join(", ")}`);
    const grownMiB = (evener.rssBytes - before.rss) / 2 ** 20;
    trial.note("memory grown, MiB", grownMiB);
    trial.expectTime(grownMiB < 100, `memory grew by ${grownMiB} MiB`);
  },
};

/** A session: its cookie, and every backend that has answered it. */
interface Session {
  cookie: string;
  readonly backends: Set<string>;
}

async function beginSessions(trial: Trial): Promise<Session[]> {
  const sessions: Session[] = [];
  const onEnd = (entry: Entry, response: http.IncomingMessage | null): void => {
    const cookie = response?.headers["set-cookie"]?.[0]?.split(";")[0];
    if (cookie !== undefined) sessions.push({ cookie, backends: new Set([entry.backend]) });
  };
  const first = new Load(trial.ledger, trial.random.split(7), {
    port: trial.evener.port,
    perSecond: 1,
    onEnd,
  });
  for (let i = 0; i < 30; i++) first.send("get");
  await first.stop();
  first.close();
  trial.expect(sessions.length === 30, `${sessions.length} of 30 sessions have begun`);
  return sessions;
}

/** W, every other request in one of the sessions. */
async function beginLoad(
  trial: Trial,
  sessions: readonly Session[],
): Promise<{ load: Load; baselineMs: number }> {
  const sessionOf = new Map<string, Session>();
  const load = trial.load({
    headers: ({ id }) => {
      if (trial.random.below(2) === 0) return {};
      const session = sessions[trial.random.below(sessions.length)]!;
      sessionOf.set(id, session);
      return { cookie: session.cookie };
    },
    onEnd: (entry) => {
      sessionOf.get(entry.id)?.backends.add(entry.backend);
      sessionOf.delete(entry.id);
    },
  });
  load.start();
  const fromMs = performance.now();
  await trial.sleep(trial.pick(1_000, 5_000));
  const entries = trial.ledger.filter(({ sentAtMs, ending, kind }) => {
    return sentAtMs > fromMs && ending === "ok" && kind !== "sse";
  });
  return { load, baselineMs: quantileMs(entries, 0.99) };
}

function moved(sessions: readonly Session[]): string[] {
  return sessions.filter(({ backends }) => backends.size > 1).map(({ backends }) => [...backends].join(" "));
}
