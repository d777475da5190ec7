// What must survive: the death of a backend, a change of the configuration, a stop.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { type Answer, RawClient, rawRequest, request } from "../fixtures/client.ts";
import { configOf, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

/** Health as an operator would run it, only faster. */
const LIVELY = {
  outlier: { ejection: "200ms" },
  health: { interval: "100ms", down_interval: "100ms", timeout: "1s" },
  slow_start: "off",
};

describe("one of four backends dies under load", () => {
  it("fails no GET whose answer had not begun, and takes the backend back when it has come back", async (t) => {
    const { evener, backends } = await setUp(t, {
      count: 4,
      pool: { ...LIVELY, policy: "least_request" },
      handler: async (it) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        it.respond(200, "ok");
      },
    });
    const victim = backends[1]!;
    const answers: Answer[] = [];
    const load = new AbortController();
    const client = async (): Promise<void> => {
      while (!load.signal.aborted) answers.push(await request(evener.port, "/work"));
    };
    const clients = Array.from({ length: 50 }, client);
    await until(() => victim.requests.length > 50, "load on the victim");
    await victim.kill();
    const atDeath = answers.length;
    await until(() => answers.length > atDeath + 500, "500 answers after the death");
    const failed = answers.filter(({ status }) => status !== 200);
    assert.deepEqual(
      failed.map(({ status, body }) => `${status} ${body}`),
      [],
    );
    const deliveries = victim.requests.length;
    await victim.revive();
    await until(() => victim.requests.length > deliveries + 20, "work for the backend that came back");
    load.abort();
    await Promise.all(clients);
    await evener.idle();
    assert.equal(
      answers.every(({ status }) => status === 200),
      true,
    );
  });

  it("delivers a POST that may not be repeated exactly once", async (t) => {
    const { evener, backends } = await setUp(t, { count: 2, handler: () => {} });
    const answer = request(evener.port, "/orders", {
      method: "POST",
      body: "one",
      headers: { "x-test-id": "order" },
    });
    await until(() => backends.some(({ requests }) => requests.length > 0), "the order");
    const taker = backends.find(({ requests }) => requests.length > 0)!;
    await taker.requests[0]!.body();
    await taker.kill();
    assert.equal((await answer).status, 502);
    assert.equal(backends[0]!.delivered("order") + backends[1]!.delivered("order"), 1);
  });

  it("repeats a generation elsewhere until its answer has begun", async (t) => {
    const { evener, backends } = await setUp(t, { count: 2, handler: () => {} });
    const body = JSON.stringify({ model: "m", messages: [] });
    const answer = request(evener.port, "/v1/chat/completions", { method: "POST", body });
    await until(() => backends.some(({ requests }) => requests.length > 0), "the request");
    const [first, second] = backends[0]!.requests.length > 0 ? backends : backends.toReversed();
    second!.handler = async (it) => it.respond(200, (await it.body()).toString());
    await (await first!.request(0)).body();
    await first!.kill();
    const { status, body: echoed, headers } = await answer;
    assert.equal(status, 200);
    assert.equal(echoed, body);
    assert.equal(headers["x-evener-attempts"], "2");
    assert.equal(headers["x-evener-reason"], "retry");
  });

  it("ends a stream uncleanly when its backend dies in the middle of it", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: (it) => it.sse() });
    const client = await connect();
    client.send(rawRequest("GET /stream"));
    const stream = await backend.request(0);
    stream.chunk("data: one\n\n");
    await until(() => client.received.includes("data: one"), "the first event");
    await backend.kill();
    await client.closed();
    assert.doesNotMatch(client.received, /\r\n0\r\n\r\n/);
    assert.doesNotMatch(client.received, /\[DONE\]/);
    await evener.idle();
    const line = await evener.logged(({ target }) => target === "/stream");
    assert.equal(line.reason, "backend_died");
  });
});

describe("a change of the configuration", () => {
  it("cuts none of 30 open streams in 20 reloads, and keeps the counts", async (t) => {
    const { evener, backends } = await setUp(t, { count: 3, handler: (it) => it.sse() });
    const clients: RawClient[] = [];
    t.after(() => clients.forEach((client) => client.destroy()));
    for (let i = 0; i < 30; i++) {
      const client = await RawClient.connect(evener.port);
      clients.push(client);
      client.send(rawRequest(`GET /stream/${i}`));
    }
    const streams = (): BackendRequest[] => backends.flatMap(({ requests }) => requests);
    await until(() => streams().length === 30, "30 streams");
    for (let round = 0; round < 20; round++) {
      const policy = round % 2 === 0 ? "least_request" : { name: "hash", key: "path" };
      const members = round % 3 === 0 ? backends.slice(0, 2) : backends;
      await evener.reload(configOf(members, { policy, queue: { max: 10 + round } }));
      for (const stream of streams()) stream.chunk(`data: ${round}\n\n`);
      await until(
        () => clients.every(({ received }) => received.includes(`data: ${round}\n`)),
        () => `event ${round} on every stream`,
      );
    }
    await evener.reload(configOf(backends));
    assert.equal(evener.inFlight(), 30);
    for (const stream of streams()) stream.lastChunk();
    await until(
      () => clients.every(({ received }) => received.endsWith("0\r\n\r\n")),
      "a clean end of every stream",
    );
    await evener.idle();
  });

  it("gives waiting work to a backend that a reload adds", async (t) => {
    const { evener, backends } = await setUp(t, { count: 2, handler: () => {} });
    const [first, second] = backends;
    const limited = (list: readonly (typeof backends)[number][]): string =>
      configOf(list, {
        backends: list.map(({ url }) => ({ url, limit: 1 })),
        queue: { max: 10, wait: "20s" },
      });
    await evener.reload(limited([first!]));
    const answers = [request(evener.port, "/a"), request(evener.port, "/b")];
    await first!.request(0);
    await until(() => evener.queued() === 1, "one that waits");
    await evener.reload(limited([first!, second!]));
    (await second!.request(0)).respond(200, "second");
    first!.requests[0]!.respond(200, "first");
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status }) => status),
      [200, 200],
    );
  });
});

describe("a stop", () => {
  it("refuses new connections, closes idle ones, and lets the open stream finish", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: (it) => it.sse() });
    const idle = await connect();
    const streaming = await connect();
    streaming.send(rawRequest("GET /stream"));
    const stream = await backend.request(0);
    stream.chunk("data: one\n\n");
    await until(() => streaming.received.includes("one"), "the first event");
    const stopped = evener.stop(20_000);
    await idle.closed();
    await assert.rejects(RawClient.connect(evener.port), /ECONNREFUSED/);
    stream.chunk("data: two\n\n");
    stream.lastChunk();
    await streaming.closed();
    assert.match(streaming.received, /data: two[^]*0\r\n\r\n$/);
    assert.equal(await stopped, true);
  });

  it("cuts what is still open at the end of the drain time, and says so", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: (it) => it.sse() });
    const client = await connect();
    client.send(rawRequest("GET /stream"));
    await backend.request(0);
    assert.equal(await evener.stop(50), false);
    await client.closed();
    assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
  });
});
