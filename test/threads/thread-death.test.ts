// A data thread dies (fault 12): what it had open ends with it, and nothing else.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Ask } from "../../src/core/handover/messages.ts";
import type { ThreadHandle } from "../../src/planes/thread-handle.ts";
import type { BackendRequest } from "../fixtures/backend.ts";
import { type RawClient, rawRequest } from "../fixtures/client.ts";
import { configOf, type Scene, type SceneOptions, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

function threaded(t: TestContext, threads: number, options: SceneOptions = {}): Promise<Scene> {
  return setUp(t, { ...options, rest: { threads, ...options.rest } });
}

function living({ evener }: Scene): readonly ThreadHandle[] {
  return evener.server.dataThreads!.living;
}

function deaths({ evener }: Scene): number {
  return evener.server.events.counts.thread_died;
}

/** Ends the thread of that number, and waits until another has taken its place. */
async function kill(scene: Scene, number = 1): Promise<void> {
  const victim = living(scene).find((thread) => thread.number === number)!;
  const before = deaths(scene);
  victim.kill("the test ends it");
  await until(() => deaths(scene) === before + 1, "the event of a thread's death");
  const successor = (): ThreadHandle | undefined => living(scene).find((thread) => thread.number === number);
  await until(() => successor() !== undefined, "another in its place");
  await successor()!.ready;
}

/** Streams that are open through all threads. */
async function openStreams(scene: Scene, count: number): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => scene.connect()));
  for (const [i, client] of clients.entries()) client.send(rawRequest(`GET /stream/${i}`));
  const arrived = (): number => scene.backends.reduce((sum, { requests }) => sum + requests.length, 0);
  await until(
    () => arrived() === count,
    () => `${count} streams; ${arrived()} have come`,
  );
  for (const { requests } of scene.backends) for (const stream of requests) stream.event("begun");
  for (const client of clients) await client.until("begun");
  return clients;
}

describe("a data thread that dies", () => {
  it("takes only its own requests along: they are settled, it is told and replaced, the others go on", async (t) => {
    const scene = await threaded(t, 4, { count: 2, handler: (it) => it.sse() });
    const clients = await openStreams(scene, STREAMS);
    await kill(scene);
    await until(() => clients.some(isCut), "the streams of the dead thread to end");
    await until(
      () => scene.evener.inFlight() === clients.filter((client) => !isCut(client)).length,
      () => `settled leases; ${scene.evener.inFlight()} are in flight`,
    );
    const alive = clients.filter((client) => !isCut(client));
    assert.ok(alive.length > STREAMS / 4, `only ${alive.length} of ${STREAMS} streams live`);
    for (const client of clients) {
      if (isCut(client)) assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/, "a cut looks like an end");
    }
    const streams = scene.backends.flatMap(({ requests }) => requests).filter(({ isClosed }) => !isClosed);
    assert.equal(streams.length, alive.length, "the backends see who has gone");
    for (const stream of streams) {
      stream.event("on");
      stream.lastChunk();
    }
    for (const client of alive) await client.until(/data: on[^]*0\r\n\r\n$/);
    const [event] = scene.evener.server.events
      .since(0, 1_000)
      .filter(({ event: { kind } }) => kind === "thread_died");
    assert.match(event!.event.reason, /the test ends it/);
    assert.match(event!.event.evidence, /^thread 1; \d+ requests in flight ended with it$/);
    assert.equal(living(scene).length, 4);
    await scene.evener.idle();
  });

  it("is replaced by one that listens, answers and counts on", async (t) => {
    const scene = await threaded(t, 1, { count: 1 });
    for (let i = 0; i < 5; i++) assert.equal((await scene.request("/before")).status, 200);
    const counted = (): number => scene.evener.server.stats("default").ends[0]!;
    await until(
      () => counted() === 5,
      () => `5 requests; ${counted()} were told`,
    );
    for (let death = 1; death <= 3; death++) {
      await kill(scene);
      assert.equal((await requestSoon(scene)).status, 200);
      await until(
        () => counted() === 5 + death,
        () => `${5 + death} requests; ${counted()} were told`,
      );
    }
    assert.equal(scene.evener.server.counts().clientConnections, 0);
  });

  it("leaves nobody waiting for its places, nor in its queue", async (t) => {
    const begun: BackendRequest[] = [];
    const scene = await threaded(t, 2, {
      count: 1,
      handler: (it) => void begun.push(it),
      yaml: (backends) =>
        configOf(
          backends,
          { backends: [{ url: backends[0]!.url, limit: 2 }], queue: { max: 100, wait: "60s" } },
          { threads: 2 },
        ),
    });
    const clients = await Promise.all(Array.from({ length: STREAMS }, () => scene.connect()));
    for (const client of clients) client.send(rawRequest("GET /"));
    await until(() => begun.length === 2 && scene.evener.queued() === STREAMS - 2, "all others to wait");
    await kill(scene, 1);
    await until(() => clients.some(isCut), "the connections of the dead thread to end");
    const answerAll = setInterval(() => {
      for (const it of begun.splice(0)) it.respond(200);
    }, 5);
    t.after(() => clearInterval(answerAll));
    await until(
      () => clients.every((client) => isCut(client) || client.received.startsWith("HTTP/1.1 200")),
      () => `answers; ${scene.evener.queued()} wait, ${scene.evener.inFlight()} are in flight`,
    );
    await scene.evener.idle();
  });

  it("keeps no new connection away while another takes its place", async (t) => {
    const scene = await threaded(t, 4, { count: 2 });
    let answered = 0;
    let broken = 0;
    const load = new AbortController();
    const client = async (): Promise<void> => {
      while (!load.signal.aborted) {
        // Connections in the dead thread's accept queue, or that it had, are reset; none is refused.
        try {
          assert.equal((await scene.request("/")).status, 200);
          answered++;
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          assert.ok(code !== undefined && code.startsWith("ECONN") && code !== "ECONNREFUSED", String(error));
          broken++;
        }
      }
    };
    const clients = Array.from({ length: 8 }, client);
    for (let number = 1; number <= 4; number++) {
      const before = answered;
      await until(() => answered > before + 50, "answers");
      await kill(scene, number);
    }
    const before = answered;
    await until(() => answered > before + 100, "answers after the last death");
    load.abort();
    await Promise.all(clients);
    // Each client had one request under way, and at most another in the queue of the same socket.
    assert.ok(broken <= 4 * 8, `${broken} requests broke in 4 deaths`);
    await scene.evener.idle();
  });

  it("in the middle of reloads is replaced by one with the newest plan", async (t) => {
    const scene = await threaded(t, 2, { count: 2 });
    const { evener, backends } = scene;
    for (let round = 0; round < 6; round++) {
      const text = configOf([backends[round % 2]!], { queue: { max: 10 + round } }, { threads: 2 });
      const dying = kill(scene, 1 + (round % 2));
      await evener.reload(text);
      await dying;
      await evener.reload(text);
      const wanted = backends[round % 2]!.name;
      for (let i = 0; i < 6; i++) assert.equal((await requestSoon(scene)).body, `hello from ${wanted}`);
    }
    await evener.idle();
  });

  it("in the middle of a handover leaves no late answer to the one that takes its place", async (t) => {
    const scene = await threaded(t, 1, { count: 2 });
    const { guests } = scene.evener.server.dataThreads!;
    const asks: Ask[] = [];
    let deaths = 0;
    await guests.begin((message) => {
      if (message.kind === "ask") asks.push(message);
      else if (message.kind === "died") deaths++;
    });
    const asked = async (count: number): Promise<RawClient> => {
      const client = await soon(() => scene.connect());
      client.send(rawRequest("GET /"));
      await until(() => asks.length === count, `ask ${count}`);
      return client;
    };
    const grant = ({ ticket }: Ask, backend: number): void => {
      const id = new URL(scene.backends[backend]!.url).host;
      guests.hear({ kind: "granted", ticket, id, why: "policy" });
    };
    await asked(1);
    await kill(scene);
    assert.equal(deaths, 1);
    const client = await asked(2);
    // The host has said the first one before it heard of the death.
    grant(asks[0]!, 0);
    grant(asks[1]!, 1);
    assert.equal((await client.response()).body, `hello from ${scene.backends[1]!.name}`);
    await guests.end();
    await scene.evener.idle();
  });

  it("in the middle of a stop does not hold it up, and the stop is not called clean", async (t) => {
    const scene = await threaded(t, 2, { count: 1, handler: (it) => it.sse() });
    await openStreams(scene, STREAMS);
    const stopped = scene.evener.stop(300);
    for (const thread of living(scene)) thread.kill("the test ends it");
    assert.equal(await stopped, false);
    assert.equal(deaths(scene), 0, "it was on its way out");
  });
});

function isCut({ isClosed, hasEnded }: RawClient): boolean {
  return isClosed || hasEnded;
}

/** A connection may be one that waits in the accept queue of a thread that has just died. */
function requestSoon(scene: Scene): ReturnType<Scene["request"]> {
  return soon(() => scene.request("/"));
}

async function soon<T>(attempt: () => Promise<T>): Promise<T> {
  let error: unknown;
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await attempt();
    } catch (reason) {
      error = reason;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw error;
}

const STREAMS = 48;
