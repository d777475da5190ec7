// What is sent again, how often, and what of it a backend that resets connections can provoke.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../src/core/kit/random.ts";
import { rawRequest, request } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const SEED = Number(process.env.EVENER_SEED ?? 1);

describe("a backend that resets some of its requests", () => {
  for (const share of [0.3, 0.9]) {
    it(`provokes no more than the budget: ${share * 100} % resets, seed ${SEED}`, async (t) => {
      const dice = new Random(SEED);
      let deliveries = 0;
      const scene = await setUp(t, {
        count: 5,
        handler: (asked) => {
          deliveries++;
          if (dice.float() < share) asked.reset();
          else asked.respond(200, "ok");
        },
      });
      const offered = 1_000;
      for (let sent = 0; sent < offered; sent += 20) {
        await Promise.all(Array.from({ length: 20 }, () => scene.request("/x").catch(() => null)));
      }
      // 20 %, the floor of one a second over ten, and what was in flight when a backend seemed to die.
      const allowed = offered * 1.2 + 10 + 5 * 20;
      assert.ok(deliveries <= allowed, `${deliveries} deliveries of ${offered} requests`);
    });
  }

  it("does not get a request again that it began to answer", async (t) => {
    const scene = await setUp(t, { handler: (asked) => asked.respond(200, "ok") });
    await scene.request("/warm-up");
    scene.backend.handler = (asked): void => {
      asked.write("HTTP/1.1 200 OK\r\nx: 1\r\n");
      setTimeout(() => asked.reset(), 20);
    };
    const answer = await scene.request("/x");
    assert.equal(answer.status, 502);
    assert.equal(scene.backend.requests.length, 2);
  });

  it("does not get a request more than twice, and the answer says how often it was sent", async (t) => {
    const scene = await setUp(t, { count: 4, handler: (asked) => asked.respond(200, "ok") });
    for (let i = 0; i < 8; i++) await scene.request("/warm-up");
    for (const backend of scene.backends) backend.handler = (asked): void => asked.reset();
    const before = scene.backends.map(({ requests }) => requests.length);
    const answer = await scene.request("/poison");
    const sent = scene.backends.map(({ requests }, i) => requests.length - before[i]!);
    const total = sent.reduce((sum, count) => sum + count, 0);
    assert.ok(Math.max(...sent) <= 2 && total <= 4, `deliveries ${sent.join(" ")}`);
    assert.equal(Number(answer.headers["x-evener-attempts"]), total);
  });
});

it("after an early hint has gone to the client nothing is sent again", async (t) => {
  const scene = await setUp(t, {
    count: 2,
    handler: (asked) => {
      asked.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
      setTimeout(() => asked.reset(), 20);
    },
  });
  const client = await scene.connect();
  client.send(rawRequest("POST /v1/chat/completions", {}, "{}"));
  assert.equal((await client.response()).status, 103);
  assert.equal((await client.response()).status, 502);
  assert.equal(scene.backends[0]!.requests.length + scene.backends[1]!.requests.length, 1);
});

it("a client that stalls in its upload is not held against the backend", async (t) => {
  const scene = await setUp(t, {
    count: 2,
    handler: () => {},
    pool: { timeouts: { first_byte: "200ms" }, outlier: {} },
    rest: { limits: { body_progress: "1500ms" } },
  });
  for (let i = 0; i < 12; i++) {
    const client = await scene.connect();
    client.send("POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nhalf");
  }
  await until(
    () => scene.backends.reduce((sum, { requests }) => sum + requests.length, 0) === 12,
    "all there",
  );
  await scene.evener.idle();
  const { pool } = scene.evener.server.fleet.list()[0]!;
  for (const { health } of pool.members.list) assert.equal(health.outlier.kind, "admitted");
  await until(() => scene.evener.log.length === 12, "12 lines");
  assert.deepEqual(new Set(scene.evener.log.map(({ reason }) => reason)), new Set(["client_abort"]));
});

describe("a client that is not read from, and resets its connection", () => {
  it("leaves the queue", async (t) => {
    const scene = await setUp(t, { handler: () => {}, pool: { queue: { max: 10, wait: "60s" } } });
    const { pool } = scene.evener.server.fleet.list()[0]!;
    pool.members.list[0]!.limitOverride = 1;
    pool.changed();
    void request(scene.evener.port, "/holds").catch(() => null);
    await scene.backend.request(0);
    const client = await scene.connect();
    client.send(`POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: ${5 << 20}\r\n\r\n`);
    client.send(Buffer.alloc(5 << 20));
    await until(() => scene.evener.queued() === 1, "it waits");
    client.reset();
    await until(() => scene.evener.queued() === 0, "it has left");
  });

  it("gives up its upload to a backend that does not read", async (t) => {
    const scene = await setUp(t, { handler: (asked) => void asked.socket.pause() });
    const client = await scene.connect();
    client.send(`POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: ${20 << 20}\r\n\r\n`);
    client.send(Buffer.alloc(20 << 20));
    await scene.backend.request(0);
    await until(() => scene.evener.inFlight() === 1, "it is in flight");
    client.reset();
    await scene.evener.idle();
  });
});
