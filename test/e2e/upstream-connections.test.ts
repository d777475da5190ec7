// The connections to backends: kept, used again, and never trusted when they said something unasked.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

describe("connections to backends", () => {
  it("are kept and used again", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    for (let i = 0; i < 5; i++) {
      client.send(rawRequest(`GET /${i}`));
      await client.response();
    }
    assert.equal(backend.used, 1);
    assert.deepEqual(
      backend.requests.map(({ nth }) => nth),
      [0, 1, 2, 3, 4],
    );
  });

  it("are shared by clients, one request at a time on each", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const clients = await Promise.all([connect(), connect(), connect()]);
    for (const client of clients) client.send(rawRequest("GET /"));
    await backend.request(2);
    assert.equal(backend.used, 3);
    for (const request of backend.requests) request.respond(200, "ok");
    await Promise.all(clients.map((client) => client.response()));
    backend.handler = (request): void => request.respond(200, "again");
    for (const client of clients) client.send(rawRequest("GET /"));
    await Promise.all(clients.map((client) => client.response()));
    assert.equal(backend.used, 3);
  });

  it("are used last in, first out", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const clients = await Promise.all([connect(), connect(), connect()]);
    for (const [i, client] of clients.entries()) {
      client.send(rawRequest(`GET /${i}`));
      await backend.request(i);
    }
    // Answered in the order 1, 2, 0: the connection of request 0 is the last that becomes idle.
    for (const i of [1, 2, 0]) {
      backend.requests[i]!.respond(200, "ok");
      await clients[i]!.response();
    }
    const sockets = backend.requests.map(({ socket }) => socket);
    for (let i = 0; i < 3; i++) clients[i]!.send(rawRequest("GET /again"));
    await backend.request(5);
    assert.deepEqual(
      backend.requests.slice(3).map(({ socket }) => sockets.indexOf(socket)),
      [0, 2, 1],
    );
    for (const request of backend.requests.slice(3)) request.respond(200);
    await Promise.all(clients.map((client) => client.response()));
  });

  for (const junk of ["x", "\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"]) {
    it(`are closed when they say ${JSON.stringify(junk.slice(0, 8))} while idle`, async (t) => {
      const { backend, connect } = await setUp(t);
      const client = await connect();
      client.send(rawRequest("GET /0"));
      await client.response();
      const first = backend.requests[0]!;
      first.write(junk);
      await first.closed;
      client.send(rawRequest("GET /1"));
      assert.equal((await client.response()).body, "hello from a");
      assert.equal(backend.used, 2);
    });
  }

  it("are not used again after bytes behind an answer", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) =>
        request.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"),
    });
    const client = await connect();
    client.send(rawRequest("GET /0"));
    assert.equal((await client.response()).body, "ok");
    await backend.requests[0]!.closed;
    client.send(rawRequest("GET /1"));
    assert.equal((await client.response()).body, "ok");
    assert.equal(backend.used, 2);
  });

  it("are not used again after connection: close", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) => request.respond(200, "ok", { connection: "close" }),
    });
    const client = await connect();
    for (let i = 0; i < 2; i++) {
      client.send(rawRequest("GET /"));
      const answer = await client.response();
      assert.equal(answer.body, "ok");
      assert.equal(answer.headers.get("connection"), undefined);
    }
    assert.equal(backend.used, 2);
  });

  it("are closed after keep-alive: timeout=1, which would be too late", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) => request.respond(200, "ok", { "keep-alive": "timeout=1" }),
    });
    const client = await connect();
    client.send(rawRequest("GET /"));
    await client.response();
    await backend.requests[0]!.closed;
  });

  it("are used again below the hint: keep-alive: timeout=60", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) => request.respond(200, "ok", { "keep-alive": "timeout=60" }),
    });
    const client = await connect();
    for (let i = 0; i < 3; i++) {
      client.send(rawRequest("GET /"));
      await client.response();
    }
    assert.equal(backend.used, 1);
  });

  // The backend itself never closes: it is Evener that does, in time.
  for (const [hint, idleTimeout] of [
    ["timeout=2", "1h"],
    ["max=100, timeout=2", "1h"],
    ["timeout=60", "100ms"],
    ["timeout=soon", "100ms"],
    ["max=5", "100ms"],
  ] as const) {
    it(`are closed by the shorter of idle_timeout: ${idleTimeout} and keep-alive: ${hint}`, async (t) => {
      const { backend, connect } = await setUp(t, {
        handler: (request) => request.respond(200, "ok", { "keep-alive": hint }),
        pool: { connections: { idle_timeout: idleTimeout } },
      });
      const client = await connect();
      client.send(rawRequest("GET /"));
      await client.response();
      await backend.requests[0]!.closed;
    });
  }

  it("are closed when idle for too long", async (t) => {
    const { backend, connect } = await setUp(t, { pool: { connections: { idle_timeout: "100ms" } } });
    const client = await connect();
    client.send(rawRequest("GET /"));
    await client.response();
    await backend.requests[0]!.closed;
  });

  it("are kept up to idle_max", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: () => {},
      pool: { connections: { idle_max: 1 } },
    });
    const clients = await Promise.all([connect(), connect(), connect()]);
    for (const client of clients) client.send(rawRequest("GET /"));
    await backend.request(2);
    for (const request of backend.requests) request.respond(200);
    await Promise.all(clients.map((client) => client.response()));
    await until(
      () => backend.sockets.size === 1,
      () => `one connection; there are ${backend.sockets.size}`,
    );
  });

  it("closed by the backend while idle: the next request takes a fresh one", async (t) => {
    const { evener, backend, connect } = await setUp(t);
    const client = await connect();
    client.send(rawRequest("GET /0"));
    await client.response();
    backend.requests[0]!.close();
    await backend.requests[0]!.closed;
    client.send(rawRequest("POST /1", { "x-request-id": "second" }, "x"));
    assert.equal((await client.response()).status, 200);
    const line = await evener.logged(({ id }) => id === "second");
    assert.equal(line.attempts, 1);
  });

  for (const [line, body] of [
    ["GET /1", ""],
    ["PUT /1", "kept"],
    ["POST /v1/chat/completions", "{}"],
  ] as const) {
    it(`reused and closed just then: ${line} is repeated once, on a fresh one of the same backend`, async (t) => {
      const { evener, backend, connect } = await setUp(t, {
        handler: (request) => (request.nth === 0 ? request.respond(200, "fresh") : request.reset()),
      });
      const client = await connect();
      client.send(rawRequest("GET /0"));
      await client.response();
      client.send(rawRequest(line, { "x-test-id": "again" }, body));
      const answer = await client.response();
      assert.equal(answer.body, "fresh");
      assert.equal(answer.headers.get("x-evener-attempts"), "2");
      assert.equal(backend.delivered("again"), 2);
      assert.equal((await backend.requests[2]!.body()).toString(), body);
      await evener.idle();
    });
  }

  it("reused and closed just then: a plain POST is not repeated", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => (request.nth === 0 ? request.respond(200, "fresh") : request.reset()),
    });
    const client = await connect();
    client.send(rawRequest("GET /0"));
    await client.response();
    client.send(rawRequest("POST /1", { "x-test-id": "once" }, "x"));
    assert.equal((await client.response()).status, 502);
    assert.equal(backend.delivered("once"), 1);
    await evener.idle();
  });

  it("repeats once and no more: the fresh one that breaks, too, is a failure", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => (request.id === "again" ? request.reset() : request.respond(200, "first")),
    });
    const client = await connect();
    client.send(rawRequest("GET /0"));
    await client.response();
    client.send(rawRequest("GET /1", { "x-test-id": "again" }));
    assert.equal((await client.response()).status, 502);
    assert.equal(backend.delivered("again"), 2);
    await evener.idle();
  });

  it("take a new backend's headers along, and are closed when its address changes", async (t) => {
    const { evener, backends, connect } = await setUp(t, {
      count: 2,
      yaml: ([a]) =>
        `pools: { default: { health: off, backends: [{ id: one, url: "${a!.url}", headers: { x-key: secret-1 } }] } }`,
    });
    const [a, b] = [backends[0]!, backends[1]!];
    const client = await connect();
    client.send(rawRequest("GET /0", { "x-key": "from the client" }));
    await client.response();
    await evener.reload(
      `pools: { default: { health: off, backends: [{ id: one, url: "${b.url}", headers: { x-key: secret-2 } }] } }`,
    );
    await a.requests[0]!.closed;
    client.send(rawRequest("GET /1"));
    assert.equal((await client.response()).body, "hello from b");
    assert.equal(b.requests[0]!.headers.get("x-key"), "secret-2");
    assert.equal(a.requests[0]!.headers.get("x-key"), "secret-1");
  });
});
