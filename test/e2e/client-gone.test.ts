// A client that goes away: whatever was done for it ends at once, and nothing stays booked.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

describe("a client that goes away", () => {
  for (const way of ["destroy", "reset", "end"] as const) {
    it(`before the first byte (${way}): the backend's connection closes, 499 in the log`, async (t) => {
      const { evener, backend, connect } = await setUp(t, { handler: () => {} });
      const client = await connect();
      client.send(rawRequest("GET /slow", { "x-request-id": "gone" }));
      const request = await backend.request(0);
      assert.equal(evener.inFlight(), 1);
      client[way]();
      await request.closed;
      await evener.idle();
      const line = await evener.logged(({ id }) => id === "gone");
      assert.equal(line.status, 499);
      assert.equal(line.reason, "client_abort");
      assert.equal(line.backend, backend.id);
      await until(() => evener.server.connections === 0, "no connection");
    });
  }

  it("in mid-stream: the backend's connection closes, nothing stays in flight", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("POST /v1/chat/completions", { "x-request-id": "gone" }, "{}"));
    const request = await backend.request(0);
    request.sse();
    request.event("one");
    await client.until("data: one");
    client.destroy();
    await request.closed;
    await evener.idle();
    const line = await evener.logged(({ id }) => id === "gone");
    assert.equal(line.reason, "client_abort");
    assert.equal(line.status, 200);
  });

  it("in mid-stream while it does not read: the backend's connection closes", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => {
        request.head(200, { "content-length": String(64 * 1024 * 1024) });
        request.write(Buffer.alloc(64 * 1024 * 1024));
      },
    });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("GET /large"));
    const request = await backend.request(0);
    await until(() => evener.inFlight() === 1, "the answer to begin");
    client.reset();
    await request.closed;
    await evener.idle();
  });

  it("while it sends its body: the backend sees no complete request", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send("POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\nhalf of it");
    const request = await backend.request(0);
    await until(() => request.bodyBytes > 0, "the first half");
    client.destroy();
    await request.closed;
    assert.equal(request.isBodyDone, false);
    await evener.idle();
  });

  it("while it waits in the queue: it leaves it, and nobody is asked for it", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: () => {},
      yaml: ([backend]) =>
        `pools: { default: { health: off, slow_start: off, backends: [{ url: "${backend!.url}", limit: 1 }] } }`,
    });
    const first = await connect();
    first.send(rawRequest("GET /first"));
    const request = await backend.request(0);
    const second = await connect();
    second.send(rawRequest("GET /second", { "x-request-id": "gone" }));
    const third = await connect();
    await until(() => evener.queued() === 1, "the second to wait");
    third.send(rawRequest("GET /third"));
    await until(() => evener.queued() === 2, "the third to wait");
    second.destroy();
    await until(() => evener.queued() === 1, "the second to leave");
    const line = await evener.logged(({ id }) => id === "gone");
    assert.equal(line.status, 499);
    assert.equal(line.backend, "");
    assert.equal(typeof line.queue_ms, "number");
    request.respond(200, "first");
    const next = await backend.request(1);
    assert.equal(next.target, "/third");
    next.respond(200, "third");
    assert.equal((await third.response()).body, "third");
    await evener.idle();
    assert.equal(backend.requests.length, 2);
  });

  it("while Evener connects: the connect is given up", async (t) => {
    // A listener whose queue of connections is full: further connects hang.
    const full = await startFullListener(t);
    const { evener, connect } = await setUp(t, {
      yaml: () =>
        `pools: { default: { health: off, timeouts: { connect: 60s }, backends: ["http://127.0.0.1:${full.port}"] } }`,
    });
    const client = await connect();
    client.send(rawRequest("GET /", { "x-request-id": "gone" }));
    await until(() => evener.inFlight() === 1, "the attempt");
    client.destroy();
    await evener.idle();
    const line = await evener.logged(({ id }) => id === "gone");
    assert.equal(line.status, 499);
    assert.equal(line.connect_ms, null);
  });

  it("with pipelined requests: the first is called off, the others never begin", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("GET /0") + rawRequest("GET /1") + rawRequest("GET /2"));
    const request = await backend.request(0);
    client.destroy();
    await request.closed;
    await evener.idle();
    await until(() => evener.server.connections === 0, "no connection");
    assert.equal(backend.requests.length, 1);
  });

  it("does not count against the backend", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: () => {},
      pool: { outlier: { consecutive: 2, failures: 2, of: 4 } },
    });
    for (let i = 0; i < 6; i++) {
      const client = await connect();
      client.send(rawRequest("GET /slow"));
      const request = await backend.request(i);
      client.destroy();
      await request.closed;
    }
    await evener.idle();
    const { pool } = evener.server.fleet.list()[0]!;
    assert.equal(pool.members.list[0]!.health.outlier.kind, "admitted");
    assert.equal(pool.ledger.aborts[pool.members.list[0]!.slot], 6);
  });

  it("half of 400 in mid-stream: every count is zero afterwards (fault 31)", async (t) => {
    const { evener, backends, connect } = await setUp(t, {
      count: 4,
      pool: { policy: "least_request" },
      handler: (request) => {
        request.sse();
        request.event("one");
      },
    });
    for (let round = 0; round < 4; round++) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => connect()));
      for (const client of clients) client.send(rawRequest("POST /v1/chat/completions", {}, "{}"));
      await Promise.all(clients.map((client) => client.until("data: one")));
      assert.equal(evener.inFlight(), 100);
      for (const [i, client] of clients.entries()) if (i % 2 === 0) client.destroy();
      await until(
        () => evener.inFlight() === 50,
        () => `50 in flight; ${evener.inFlight()} are`,
      );
      for (const backend of backends) {
        for (const request of backend.requests.splice(0)) {
          if (!request.isClosed) request.lastChunk();
        }
      }
      await evener.idle();
      for (const client of clients) client.destroy();
    }
    await until(() => evener.server.connections === 0, "no connection");
  });
});

/** A port on 127.0.0.1 where connects are neither accepted nor refused. */
async function startFullListener(t: { after: (end: () => void) => void }): Promise<{ port: number }> {
  const { spawn } = await import("node:child_process");
  // Stopped after listen(): the kernel fills its queue of one and then leaves connects unanswered.
  const script =
    "const s = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {" +
    " process.stdout.write(String(s.address().port)); });";
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise<number>((resolve) =>
    child.stdout.once("data", (text) => resolve(Number(text))),
  );
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: 8 }, () => net.connect({ host: "127.0.0.1", port }));
  for (const filler of fillers) filler.on("error", () => {});
  t.after(() => {
    for (const filler of fillers) filler.destroy();
    child.kill("SIGKILL");
  });
  await until(() => fillers.filter((filler) => !filler.connecting).length >= 2, "the queue to fill");
  return { port };
}
