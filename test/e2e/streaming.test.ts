// How bytes go through the proxy: streams, bodies, backpressure, and every kind of message framing.
import assert from "node:assert/strict";
import http from "node:http";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { rawRequest } from "../fixtures/client.ts";
import { settled, setUp, socketsTo } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const MIB = 1024 * 1024;
/** What Evener may hold of one stream: 64 KiB read ahead, a read on its way, and the framing. */
const HELD_BYTES_MAX = 256 * 1024;

describe("streaming", () => {
  it("passes server-sent events on one by one: each arrives before the next is sent", async (t) => {
    const { evener, backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("POST /v1/chat/completions", {}, "{}"));
    const request = await backend.request(0);
    request.sse({ "cache-control": "no-cache" });
    await client.until("\r\n\r\n");
    for (let i = 0; i < 20; i++) {
      request.event(`token ${i}`);
      await client.until(`data: token ${i}\n\n`);
      assert.ok(!client.received.includes(`token ${i + 1}`));
    }
    assert.equal(evener.inFlight(), 1);
    request.event("[DONE]");
    request.lastChunk();
    const { status, headers, body } = await client.response();
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), "text/event-stream");
    assert.equal(headers.get("transfer-encoding"), "chunked");
    assert.equal(headers.get("content-length"), undefined);
    assert.equal(body.match(/data: /g)?.length, 21);
    await evener.idle();
  });

  it("passes events on whose chunks come in pieces", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("GET /events"));
    const request = await backend.request(0);
    request.sse();
    await client.until("\r\n\r\n");
    // A chunk's head alone, its content in two, its end with the next head.
    for (const piece of ["1", "0\r", "\ndata: one", "\n\n12345", "\r", "\n0\r\n", "\r\n"]) {
      const before = client.receivedLength;
      request.write(piece);
      if (/[a-z]/.test(piece)) await until(() => client.receivedLength > before, `more after ${piece}`);
      else await settled(() => client.receivedLength);
    }
    assert.equal((await client.response()).body, "data: one\n\n12345");
  });

  it("streams a request body as it comes, with a length", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send("POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: 15\r\n\r\n");
    const request = await backend.request(0);
    for (const piece of ["first", "other", "third"]) {
      client.send(piece);
      await until(() => request.bodySoFar().endsWith(piece), `${piece}; has ${request.bodySoFar()}`);
    }
    request.respond(200, "done");
    assert.equal((await client.response()).body, "done");
    assert.equal(request.headers.get("content-length"), "15");
  });

  it("streams a chunked request body as it comes", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send("POST /upload HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    const request = await backend.request(0);
    for (const piece of ["first", "other", "third"]) {
      client.send(`5\r\n${piece}\r\n`);
      await until(() => request.bodySoFar().endsWith(piece), `${piece}; has ${request.bodySoFar()}`);
    }
    assert.equal(request.isBodyDone, false);
    client.send("0\r\n\r\n");
    assert.equal((await request.body()).toString(), "firstotherthird");
    request.respond(201);
    assert.equal((await client.response()).status, 201);
    assert.equal(request.headers.get("content-length"), undefined);
  });

  it("gives no room to a client while the backend does not read", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => void request.socket.pause(),
    });
    const client = await connect();
    const piece = Buffer.alloc(MIB, "x");
    client.send(`POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: ${64 * MIB}\r\n\r\n`);
    for (let i = 0; i < 64; i++) client.send(piece);
    const request = await backend.request(0);
    const left = await settled(() => client.socket.writableLength);
    assert.ok(left > 0, "the client could send all of it");
    for (const socket of socketsTo(backend.port)) {
      assert.ok(socket.writableLength <= HELD_BYTES_MAX, `${socket.writableLength} bytes wait in Evener`);
    }
    request.socket.resume();
    await request.body();
    assert.equal(request.bodyBytes, 64 * MIB);
    request.respond(200);
    assert.equal((await client.response()).status, 200);
    await evener.idle();
  });

  it("gives no room to a backend while the client does not read", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => {
        request.head(200, { "content-length": String(64 * MIB) });
        const piece = Buffer.alloc(MIB, "x");
        for (let i = 0; i < 64; i++) request.write(piece);
      },
    });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("GET /large"));
    const request = await backend.request(0);
    const left = await settled(() => request.socket.writableLength);
    assert.ok(left > 0, "the backend could send all of it");
    for (const socket of socketsTo(client.socket.localPort!)) {
      assert.ok(socket.writableLength <= HELD_BYTES_MAX, `${socket.writableLength} bytes wait in Evener`);
    }
    client.socket.resume();
    await until(
      () => client.receivedLength > 64 * MIB,
      () => `all; received ${client.receivedLength}`,
    );
    await evener.idle();
    const { body } = await client.response();
    assert.equal(body.length, 64 * MIB);
  });

  it("passes a chunked answer on to a client that reads slowly, whatever the cuts", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("GET /large"));
    const request = await backend.request(0);
    request.head(200, { "transfer-encoding": "chunked" });
    const piece = Buffer.alloc(300_000, "y");
    for (let i = 0; i < 100; i++) request.chunk(piece);
    await settled(() => request.socket.writableLength);
    client.socket.resume();
    await until(
      () => client.receivedLength >= 100 * 300_000,
      () => `all; received ${client.receivedLength}`,
    );
    request.lastChunk();
    const { body } = await client.response();
    assert.equal(body.length, 100 * 300_000);
  });

  it("reads on after a client was slow, when the next read is framing alone", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("GET /large"));
    const request = await backend.request(0);
    request.head(200, { "transfer-encoding": "chunked" });
    const held = (): number =>
      socketsTo(client.socket.localPort!).reduce((sum, s) => sum + s.writableLength, 0);
    // Piece by piece, each a read of its own, until the client's window is full and the last piece is held.
    let count = 0;
    for (; held() < 65_536 && count < 1_000; count++) {
      request.write(`${count === 0 ? "" : "\r\n"}ea60\r\n${"y".repeat(60_000)}`);
      await sleep(5);
    }
    client.socket.resume();
    await until(() => held() === 0, "the drain");
    for (const piece of ["\r", "\n", "0\r\n\r\n"]) {
      request.write(piece);
      await sleep(20);
    }
    const { body } = await client.response();
    assert.equal(body.length, count * 60_000);
  });

  it("does not hold the answers of pipelined requests that nobody reads", async (t) => {
    const body = "z".repeat(50_000);
    const { evener, backend, connect } = await setUp(t, { handler: (request) => request.respond(200, body) });
    const client = await connect();
    client.socket.pause();
    const count = 2_000;
    client.send(rawRequest("GET /x").repeat(count));
    await settled(() => backend.requests.length);
    for (const socket of socketsTo(client.socket.localPort!)) {
      assert.ok(socket.writableLength <= HELD_BYTES_MAX, `${socket.writableLength} bytes wait in Evener`);
    }
    assert.ok(backend.requests.length < count);
    client.socket.resume();
    await until(
      () => backend.requests.length === count && evener.inFlight() === 0,
      () => `all; ${backend.requests.length} have come`,
    );
    await until(() => client.receivedLength > count * body.length, "the last answers");
  });
});

describe("framing", () => {
  it("answers HEAD without a body and goes on with the connection", async (t) => {
    const { connect } = await setUp(t, {
      handler: (request) => request.respond(200, "hello", { "x-of": request.method }),
    });
    const client = await connect();
    client.send(rawRequest("HEAD /"));
    const head = await client.response({ isHead: true });
    assert.equal(head.headers.get("content-length"), "5");
    assert.equal(head.headers.get("x-of"), "HEAD");
    client.send(rawRequest("GET /"));
    const { body } = await client.response();
    assert.equal(body, "hello");
  });

  for (const status of [204, 304]) {
    it(`answers ${status} without a body and goes on with the connection`, async (t) => {
      const { backend, connect } = await setUp(t, {
        handler: (request) => request.head(status, { etag: '"1"' }),
      });
      const client = await connect();
      client.send(rawRequest("GET /"));
      const first = await client.response();
      assert.equal(first.status, status);
      assert.equal(first.headers.get("etag"), '"1"');
      assert.equal(first.headers.get("transfer-encoding"), undefined);
      backend.handler = (request): void => request.respond(200, "next");
      client.send(rawRequest("GET /"));
      assert.equal((await client.response()).body, "next");
      assert.equal(backend.used, 1);
    });
  }

  it("passes 103 on, several times, before the answer", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send(rawRequest("GET /page"));
    const request = await backend.request(0);
    for (let i = 0; i < 2; i++) {
      request.write(`HTTP/1.1 103 Early Hints\r\nlink: </${i}.css>; rel=preload\r\n\r\n`);
      const hints = await client.response();
      assert.equal(hints.status, 103);
      assert.equal(hints.headers.get("link"), `</${i}.css>; rel=preload`);
    }
    request.respond(200, "page");
    assert.equal((await client.response()).body, "page");
  });

  it("passes no interim answer on to HTTP/1.0", async (t) => {
    const { connect } = await setUp(t, {
      handler: (request) => {
        request.write("HTTP/1.1 103 Early Hints\r\n\r\n");
        request.respond(200, "page");
      },
    });
    const client = await connect();
    client.send("GET /page HTTP/1.0\r\nhost: test\r\n\r\n");
    assert.equal((await client.response()).status, 200);
  });

  it("drops a 100 that nobody waits for", async (t) => {
    const { connect } = await setUp(t, {
      handler: (request) => {
        request.write("HTTP/1.1 100 Continue\r\n\r\n");
        request.respond(200, "page");
      },
    });
    const client = await connect();
    client.send(rawRequest("POST /page", {}, "x"));
    assert.equal((await client.response()).status, 200);
  });

  it("asks the backend before the client sends its body (Expect: 100-continue)", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send("POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    const request = await backend.request(0);
    assert.equal(request.headers.get("expect"), "100-continue");
    await settled(() => client.receivedLength);
    assert.equal(client.received, "");
    request.write("HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal((await client.response()).status, 100);
    client.send("body");
    assert.equal((await request.body()).toString(), "body");
    request.respond(200, "thanks");
    assert.equal((await client.response()).body, "thanks");
    client.send(rawRequest("GET /next"));
    (await backend.request(1)).respond(200, "next");
    assert.equal((await client.response()).body, "next");
  });

  it("passes a refusal on at once and closes: the body never came (Expect: 100-continue)", async (t) => {
    const { evener, connect } = await setUp(t, { handler: (request) => request.respond(401, "no") });
    const client = await connect();
    client.send("POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    const answer = await client.response();
    assert.equal(answer.status, 401);
    assert.equal(answer.body, "no");
    assert.equal(answer.headers.get("connection"), "close");
    await client.closed();
    await evener.idle();
  });

  it("passes an answer on that comes while the body is still being sent, and ends in peace", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => request.respond(413, "too much"),
    });
    const client = await connect();
    client.send(`POST /x HTTP/1.1\r\nhost: test\r\ncontent-length: ${10 * MIB}\r\n\r\n`);
    client.send(Buffer.alloc(10_000));
    const answer = await client.response();
    assert.equal(answer.status, 413);
    assert.equal(answer.body, "too much");
    assert.equal(answer.headers.get("connection"), "close");
    await until(() => client.hasEnded, "the end");
    assert.equal(client.error, null);
    await evener.idle();
    await (
      await backend.request(0)
    ).closed;
  });

  it("streams both ways at once: an answer that begins before the body ends", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {} });
    const client = await connect();
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
    const request = await backend.request(0);
    request.head(200, { "transfer-encoding": "chunked" });
    for (const letter of "bcd") {
      client.send(`1\r\n${letter}\r\n`);
      await until(() => request.bodySoFar().endsWith(letter), letter);
      request.chunk(letter.toUpperCase());
      await client.until(`1\r\n${letter.toUpperCase()}\r\n`);
    }
    client.send("0\r\n\r\n");
    await request.body();
    request.lastChunk();
    assert.equal((await client.response()).body, "BCD");
  });

  it("passes the trailers of an answer on", async (t) => {
    const { connect } = await setUp(t, {
      handler: (request) => {
        request.head(200, { "transfer-encoding": "chunked", trailer: "x-checksum" });
        request.chunk("content");
        request.lastChunk("x-checksum: 42\r\n");
      },
    });
    const client = await connect();
    client.send(rawRequest("GET /", { te: "trailers" }));
    const answer = await client.response();
    assert.equal(answer.body, "content");
    assert.match(answer.trailers, /^x-checksum: 42\r\n$/i);
  });

  it("gives HTTP/1.0 the plain bytes and closes", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: (request) => {
        request.head(200, { "transfer-encoding": "chunked" });
        request.chunk("one ");
        request.chunk("two");
        request.lastChunk();
      },
    });
    const client = await connect();
    client.send("GET / HTTP/1.0\r\nhost: test\r\nconnection: keep-alive\r\n\r\n");
    const answer = await client.response();
    assert.equal(answer.body, "one two");
    assert.equal(answer.headers.get("transfer-encoding"), undefined);
    assert.equal(answer.headers.get("connection"), "close");
    assert.ok(client.hasEnded);
    assert.match((await backend.request(0)).rawHead, /^GET \/ HTTP\/1\.1\r\n/);
    assert.equal(evener.inFlight(), 0);
  });

  it("chunks an answer that ends with its connection", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: (request) => {
        request.head(200);
        request.write("until the end");
        request.close();
      },
    });
    const client = await connect();
    client.send(rawRequest("GET /"));
    const answer = await client.response();
    assert.equal(answer.body, "until the end");
    assert.equal(answer.headers.get("transfer-encoding"), "chunked");
    backend.handler = (request): void => request.respond(200, "next");
    client.send(rawRequest("GET /"));
    assert.equal((await client.response()).body, "next");
  });

  it("answers pipelined requests in their order, one at a time", async (t) => {
    const { evener, backends, connect } = await setUp(t, { count: 2, handler: () => {} });
    const client = await connect();
    for (let i = 0; i < 6; i++) {
      client.send(i % 2 === 0 ? rawRequest(`GET /${i}`) : rawRequest(`POST /${i}`, {}, `body ${i}`));
    }
    for (let i = 0; i < 6; i++) {
      const request = await backends[i % 2]!.request(Math.floor(i / 2));
      assert.equal(request.target, `/${i}`);
      assert.equal(evener.inFlight(), 1, "only one at a time");
      assert.equal((await request.body()).toString(), i % 2 === 0 ? "" : `body ${i}`);
      request.respond(200, `answer ${i}`);
    }
    for (let i = 0; i < 6; i++) assert.equal((await client.response()).body, `answer ${i}`);
  });

  it("understands a request in any cuts", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: async (request) => request.respond(200, (await request.body()).toString()),
    });
    const client = await connect();
    const text = rawRequest("POST /cut", { "x-test-id": "cut" }, "hello");
    for (const byte of text) {
      client.send(byte);
      await new Promise(setImmediate);
    }
    assert.equal((await client.response()).status, 200);
    assert.equal((await (await backend.request(0)).body()).toString(), "hello");
  });

  it("serves node:http with keep-alive, bodies and 1 MiB answers", async (t) => {
    const { request, backend } = await setUp(t, {
      count: 1,
      handler: async (asked) => asked.respond(200, (await asked.body()).toString("latin1")),
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    t.after(() => agent.destroy());
    const bodies = [0, 1, 1_000, 100_000, MIB].map((size) => "q".repeat(size));
    const answers = await Promise.all(
      [...bodies, ...bodies, ...bodies].map((body) => request("/echo", { method: "POST", body, agent })),
    );
    for (const [i, answer] of answers.entries()) assert.equal(answer.body, bodies[i % bodies.length]);
    assert.equal(backend.requests.length, answers.length);
  });
});
