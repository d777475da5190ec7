// A raw corpus of request smuggling: the backend sees 0 or 1 requests, and whatever is refused is answered
// and closed.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";

const HIDDEN = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
const POST = "POST /outer HTTP/1.1\r\nhost: a\r\n";
const CHUNKED = `${POST}transfer-encoding: chunked\r\n`;

const REFUSED: Readonly<Record<string, string>> = {
  "CL.TE": `${CHUNKED}content-length: 6\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "TE.CL": `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n5c\r\n${HIDDEN}\r\n0\r\n\r\n`,
  "TE.TE, one unknown": `${CHUNKED}transfer-encoding: x\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "TE twice in a list": `${POST}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "TE identity": `${POST}transfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc${HIDDEN}`,
  "TE with a tab for its name's end": `${POST}transfer-encoding\t: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "TE with an underscore": `${POST}transfer_encoding: chunked\r\ncontent-length: 0\r\n\r\n${HIDDEN}`,
  "TE in HTTP/1.0": `POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  "two different lengths": `${POST}content-length: 0\r\ncontent-length: 40\r\n\r\n${HIDDEN}`,
  "two equal lengths in a list": `${POST}content-length: 0, 0\r\n\r\n${HIDDEN}`,
  "length +5": `${POST}content-length: +5\r\n\r\nabcde${HIDDEN}`,
  "length 0x5": `${POST}content-length: 0x5\r\n\r\nabcde${HIDDEN}`,
  "length with a space in it": `${POST}content-length: 1 0\r\n\r\n${HIDDEN}`,
  "empty length": `${POST}content-length:\r\n\r\n${HIDDEN}`,
  "space before the colon": `${POST}content-length : 5\r\n\r\nabcde${HIDDEN}`,
  "folded line": `${POST}x: a\r\n content-length: 40\r\n\r\n${HIDDEN}`,
  "bare LF between fields": `${POST}x: a\ncontent-length: 40\r\n\r\n${HIDDEN}`,
  "bare CR in a value": `${POST}x: a\rcontent-length: 40\r\n\r\n${HIDDEN}`,
  "NUL in a value": `${POST}x: a\u0000\r\n\r\n${HIDDEN}`,
  "two Host lines": `GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n${HIDDEN}`,
  "Host with a path": `GET / HTTP/1.1\r\nhost: a/b\r\n\r\n${HIDDEN}`,
  "Host with userinfo": `GET / HTTP/1.1\r\nhost: u@a\r\n\r\n${HIDDEN}`,
  "no Host": `GET / HTTP/1.1\r\nx: 1\r\n\r\n${HIDDEN}`,
  "two spaces in the request line": `GET  / HTTP/1.1\r\nhost: a\r\n\r\n${HIDDEN}`,
  "a fragment in the target": `GET /#x HTTP/1.1\r\nhost: a\r\n\r\n${HIDDEN}`,
  "asterisk with GET": `GET * HTTP/1.1\r\nhost: a\r\n\r\n${HIDDEN}`,
  "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a space before the first field": `GET / HTTP/1.1\r\n host: a\r\n\r\n${HIDDEN}`,
};

/**
 * The head is well-formed, the chunks are not: the backend may have seen the head, and never a whole request.
 */
const BROKEN_BODIES: Readonly<Record<string, string>> = {
  "chunk size 0x5": `${CHUNKED}\r\n0x5\r\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "chunk size with a space": `${CHUNKED}\r\n5 \r\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "chunk size that overflows": `${CHUNKED}\r\nffffffffffffffff1\r\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "chunk that spills": `${CHUNKED}\r\n5\r\nabcdefg\r\n0\r\n\r\n${HIDDEN}`,
  "chunk line with a bare LF": `${CHUNKED}\r\n5\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "chunk extension with a bare LF": `${CHUNKED}\r\n5;a\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "endless chunk extension": `${CHUNKED}\r\n5;${"a".repeat(8_000)}\r\nabcde\r\n0\r\n\r\n${HIDDEN}`,
  "negative chunk size": `${CHUNKED}\r\n-5\r\nabcde\r\n0\r\n\r\n${HIDDEN}`,
};

describe("refused before a backend sees anything", () => {
  for (const [name, bytes] of Object.entries(REFUSED)) {
    it(name, async (t) => {
      const { backend, connect } = await setUp(t);
      const client = await connect();
      client.send(bytes);
      const { status } = await client.response();
      assert.ok([400, 405, 501, 505].includes(status), `answered ${status}`);
      await client.closed();
      assert.equal(backend.requests.length, 0);
      assert.equal(client.received, "", "one answer, and no other behind it");
    });
  }
});

describe("refused in the body", () => {
  for (const [name, bytes] of Object.entries(BROKEN_BODIES)) {
    it(name, async (t) => {
      const { backend, evener, connect } = await setUp(t, {
        handler: async (it) => {
          await it.body();
          it.respond(200, "whole");
        },
      });
      const client = await connect();
      client.send(bytes);
      const { status } = await client.response();
      assert.ok(status === 400 || status === 431, `answered ${status}`);
      await client.closed();
      await evener.idle();
      assert.equal(backend.requests.filter(({ target }) => target === "/smuggled").length, 0);
      assert.equal(
        backend.requests.every(({ isBodyDone }) => !isBodyDone),
        true,
      );
    });
  }
});

describe("what follows an answer of our own", () => {
  it("an unread body is never parsed as a request", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(`TRACE / HTTP/1.1\r\nhost: a\r\ncontent-length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`);
    assert.equal((await client.response()).status, 405);
    await client.closed();
    assert.equal(backend.requests.length, 0);
  });

  it("a body that is not wanted does not take the answer out of the client's hands", async (t) => {
    const { connect } = await setUp(t, { rest: { limits: { body_bytes: 1024 } } });
    const client = await connect();
    client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40000\r\n\r\n${"x".repeat(20_000)}`);
    assert.equal((await client.response()).status, 413);
    client.send("x".repeat(20_000));
    await client.closed();
  });

  it("pipelined requests behind a whole one are each seen once", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(rawRequest("POST /1", {}, HIDDEN) + rawRequest("GET /2"));
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(
      backend.requests.map(({ target }) => target),
      ["/1", "/2"],
    );
    assert.equal((await backend.requests[0]!.body()).toString(), HIDDEN);
  });
});
