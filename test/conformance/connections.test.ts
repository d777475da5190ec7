// Connections and retries: rules C1 to C8 of docs/internals/http-rules.md, raw sockets on both sides.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RequestParser } from "../../src/http1/parser.ts";
import type { BackendRequest } from "../fixtures/backend.ts";
import { rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";
import { acceptRequests, acceptResponses } from "./tables.ts";

const H = "Host: a\r\n";

acceptRequests([
  [
    "C3 1.0 is never kept alive",
    `GET / HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n`,
    { keepAlive: false },
  ],
  [
    "C4 close, in any case and company",
    `GET / HTTP/1.1\r\n${H}Connection: Keep-Alive, CLOSE\r\n\r\n`,
    { keepAlive: false, connectionOptions: null },
  ],
]);

acceptResponses([
  [
    "C3 HTTP/1.0",
    "GET",
    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    { framing: "length", keepAlive: false },
  ],
]);

describe("pipelining", () => {
  it("C1 answers come in the order of the requests, and a backend has one request of a client at a time", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("GET /0") + rawRequest("POST /1", {}, "body") + rawRequest("GET /2"));
    for (let i = 0; i < 3; i++) {
      const request = await backend.request(i);
      assert.equal(request.target, `/${i}`);
      // Whatever would have been sent ahead is on its way by now: a round trip on another connection.
      const other = await connect();
      other.send("GET /?\x00");
      await other.response();
      assert.equal(backend.requests.length, i + 1);
      request.respond(200, `answer ${i}`);
      assert.equal((await client.response()).body, `answer ${i}`);
    }
  });

  it("C1 a request behind one that is refused is not read", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(`${rawRequest("GET /0")}GET  /1 HTTP/1.1\r\n\r\n${rawRequest("GET /2")}`);
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.response()).status, 400);
    await client.closed();
    assert.equal(client.received, "");
    assert.deepEqual(
      backend.requests.map(({ target }) => target),
      ["/0"],
    );
  });
});

describe("bodies that nobody wanted", () => {
  it("C2 a whole body is read, whatever the answer says of it: the next request is served", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: async (request) => {
        await request.body();
        request.respond(request.method === "POST" ? 422 : 200, request.method);
      },
    });
    const client = await connect();
    client.send(rawRequest("POST /0", {}, rawRequest("GET /hidden")) + rawRequest("GET /1"));
    assert.equal((await client.response()).status, 422);
    assert.equal((await client.response()).body, "GET");
    assert.deepEqual(
      backend.requests.map(({ target }) => target),
      ["/0", "/1"],
    );
  });

  it("C2 a body of which no backend hears is thrown away, and no request is found in it", async (t) => {
    const { backend, connect } = await setUp(t, {
      rest: { routes: [{ match: { path: "/fixed" }, answer: { body: "fixed" } }, { pool: "default" }] },
    });
    const client = await connect();
    const hidden = rawRequest("GET /hidden");
    client.send(rawRequest("POST /fixed", {}, hidden) + rawRequest("GET /1"));
    assert.equal((await client.response()).body, "fixed");
    assert.equal((await client.response()).body, "hello from a");
    client.send(rawRequest("POST /fixed", { "content-length": String(hidden.length) }));
    assert.equal((await client.response()).body, "fixed");
    client.send(hidden.slice(0, 10));
    client.send(`${hidden.slice(10)}${rawRequest("GET /2")}`);
    assert.equal((await client.response()).body, "hello from a");
    assert.deepEqual(
      backend.requests.map(({ target }) => target),
      ["/1", "/2"],
    );
  });

  it("C2 C5 an early answer goes on at once; the rest of the body is not waited for, and nothing is reused", async (t) => {
    const { backend, connect } = await setUp(t, { handler: (request) => request.respond(413, "enough") });
    const client = await connect();
    client.send(rawRequest("POST /0", { "content-length": "100" }).concat("begin"));
    const response = await client.response();
    assert.equal(response.body, "enough");
    assert.equal(response.headers.get("connection"), "close");
    await backend.requests[0]!.closed;
    assert.equal(backend.requests[0]!.isBodyDone, false);
    client.send(`${"x".repeat(95)}${rawRequest("GET /1")}`);
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(backend.requests.length, 1);
  });
});

describe("the end of connections", () => {
  it("C3 HTTP/1.0 gets one answer, and then the close, even if it asks to go on", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(`GET /0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${rawRequest("GET /1")}`);
    const response = await client.response();
    assert.equal(response.headers.get("connection"), "close");
    await client.closed();
    assert.equal(client.received, "");
    assert.deepEqual(
      backend.requests.map(({ target }) => target),
      ["/0"],
    );
  });

  it("C3 a backend of HTTP/1.0 gets one request a connection", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) =>
        request.write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
    });
    const client = await connect();
    client.send(rawRequest("POST /0") + rawRequest("POST /1"));
    for (let i = 0; i < 2; i++) assert.equal((await client.response()).body, "ok");
    assert.equal(backend.used, 2);
    await backend.requests[0]!.closed;
  });

  it("C4 close of a client is honoured and said, close of a backend is honoured and kept", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) => request.respond(200, "ok", { connection: "close" }),
    });
    const client = await connect();
    client.send(
      rawRequest("POST /0") + rawRequest("POST /1", { connection: "close" }) + rawRequest("POST /2"),
    );
    assert.equal((await client.response()).headers.get("connection"), undefined);
    assert.equal((await client.response()).headers.get("connection"), "close");
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(backend.used, 2);
    await backend.requests[0]!.closed;
  });

  it("C4 the close lingers: what the client still sends does not take the answer out of its hands", async (t) => {
    const { connect } = await setUp(t, { rest: { limits: { body_bytes: 1024 } } });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("POST /0", { "content-length": "40000" }));
    for (let i = 0; i < 4; i++) {
      client.send("x".repeat(10_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    assert.equal((await client.response()).status, 413);
    await client.closed();
    assert.equal(client.error, null);
  });

  for (const way of ["end", "reset"] as const) {
    it(`C6 a client that leaves (${way}) cancels what it asked for, in every phase`, async (t) => {
      const phases: ((request: BackendRequest) => void)[] = [
        (): void => {},
        (request): void => request.write("HTTP/1.1 200 OK\r\ncont"),
        (request): void => request.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhell"),
        (request): void => request.event("token"),
      ];
      for (const [i, phase] of phases.entries()) {
        const { backend, connect, evener } = await setUp(t, {
          handler: (request) => {
            if (i === 3) request.sse();
            phase(request);
          },
        });
        const client = await connect();
        client.send(rawRequest("POST /"));
        const request = await backend.request(0);
        if (i >= 2) await client.until(i === 2 ? "hell" : "token");
        client[way]();
        await request.closed;
        await evener.idle();
      }
    });
  }

  it("C6 a backend that closes an idle connection is noticed: the next request takes another", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(rawRequest("POST /0"));
    await client.response();
    backend.requests[0]!.close();
    await backend.requests[0]!.closed;
    client.send(rawRequest("POST /1"));
    assert.equal((await client.response()).status, 200);
    assert.equal(backend.used, 2);
  });
});

describe("retries", () => {
  const dying = async (request: BackendRequest): Promise<void> => {
    await request.body();
    request.reset();
  };

  for (const [line, times] of [
    ["POST /a", 1],
    ["PATCH /a", 1],
    ["PURGE /a", 1],
    ["GET /a", 2],
    ["HEAD /a", 2],
    ["PUT /a", 2],
    ["DELETE /a", 2],
    ["OPTIONS /a", 2],
  ] as const) {
    it(`C7 ${line} that a backend may have seen is sent ${times === 1 ? "once" : "twice"} and no more`, async (t) => {
      const { connect, deliveries, evener } = await setUp(t, { count: 3, handler: dying });
      const client = await connect();
      client.send(rawRequest(line, { "x-test-id": "it" }));
      assert.equal((await client.response({ isHead: line.startsWith("HEAD") })).status, 502);
      await evener.idle();
      assert.equal(deliveries("it"), times);
    });
  }

  it("C7 a POST of which nothing was sent goes elsewhere", async (t) => {
    const { backends, connect } = await setUp(t, { count: 2 });
    await backends[0]!.stop();
    const client = await connect();
    for (let i = 0; i < 4; i++) {
      client.send(rawRequest("POST /", {}, "body"));
      assert.equal((await client.response()).body, "hello from b");
    }
    assert.equal(backends[1]!.requests.length, 4);
  });

  it("C7 an answer that has begun is never begun again", async (t) => {
    const { connect, deliveries } = await setUp(t, {
      count: 2,
      handler: (request) => {
        request.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhell");
        request.close();
      },
    });
    const client = await connect();
    client.send(rawRequest("GET /", { "x-test-id": "it" }));
    await client.closed();
    assert.match(client.received, /\r\n\r\nhell$/);
    assert.equal(deliveries("it"), 1);
  });
});

describe("what does not apply yet", () => {
  it("C8 there is nothing to half-close: CONNECT is understood, and refused with a close", async (t) => {
    const parser = new RequestParser();
    const text = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    assert.equal(parser.parse(Buffer.from(text), 0), text.length);
    assert.equal(parser.head.targetForm, "authority");
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(`${text}bytes of a tunnel`);
    assert.equal((await client.response()).status, 405);
    await client.closed();
    await until(() => client.hasEnded, "the FIN");
    assert.equal(backend.requests.length, 0);
  });
});
