// Request smuggling (CVE classes 1 and 2): the well-known attacks by name, and a generated corpus that is
// read twice, by Evener and by corpus/reference.ts. Both must see the same requests, or none.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../src/core/kit/random.ts";
import { rawRequest } from "../fixtures/client.ts";
import { type Evener, startEvener } from "../fixtures/evener.ts";
import { setUp, yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";
import { readRequest, readResponse, statusOf, targetOf, valuesOf } from "./corpus/reference.ts";
import { requestCorpus } from "./corpus/requests.ts";
import { cut, exchange, RecordingBackend } from "./corpus/wire.ts";

const UNREADABLE: readonly number[] = [400, 414, 417, 431, 501, 505];
const BODY_BYTES_MAX = 4096;
const FILLER = "\x00".repeat(2 * BODY_BYTES_MAX);
const MUTATIONS = 1000;

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
  const ANSWERS: Readonly<
    Record<string, { line: string; status: number; fields?: string; pool?: object; rest?: object }>
  > = {
    "no route": {
      line: "POST /none",
      status: 404,
      rest: { routes: [{ match: { path: "/some" }, pool: "default" }] },
    },
    "method refused": { line: "TRACE /", status: 405 },
    "tunnel refused": { line: "CONNECT a:80", status: 405 },
    "ambiguous path": { line: "POST /a/../b", status: 400 },
    "body too large": { line: "POST /", status: 413, rest: { limits: { body_bytes: 10 } } },
    "no further": { line: "OPTIONS *", status: 204, fields: "max-forwards: 0\r\n" },
    "no connection": { line: "POST /", status: 502, pool: { backends: ["http://127.0.0.1:1"] } },
  };
  for (const [name, { line, status, fields = "", pool = {}, rest = {} }] of Object.entries(ANSWERS)) {
    it(`class 2: ${name} (${status}): an unread body is never parsed as a request`, async (t) => {
      for (const framed of [
        `content-length: ${HIDDEN.length + 9}\r\n\r\n`,
        "transfer-encoding: chunked\r\n\r\n",
      ]) {
        const { backend, connect, evener } = await setUp(t, { pool: { ...pool }, rest: { ...rest } });
        const client = await connect();
        // The body is not complete: what is there of it looks like a request.
        client.send(`${line} HTTP/1.1\r\nhost: a\r\n${fields}${framed}`);
        const isChunked = framed.startsWith("transfer");
        client.send(isChunked ? `${HIDDEN.length.toString(16)}\r\n${HIDDEN}` : HIDDEN);
        const response = await client.response();
        assert.equal(response.status, status);
        assert.equal(response.headers.get("connection"), "close");
        client.send(HIDDEN);
        await client.closed();
        assert.equal(client.received, "");
        assert.equal(backend.requests.length, 0);
        await evener.idle();
      }
    });
  }

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

/**
 * Behind each case of the corpus comes a pipelined request, then bytes that are no HTTP: so every connection
 * ends, whatever Evener waits for, without a timeout.
 */
describe("the corpus", () => {
  const seed = Number(process.env["EVENER_CORPUS_SEED"] ?? 20_260_801);
  const cases = requestCorpus(new Random(seed), MUTATIONS);

  it(`${cases.length} streams: backend, client and log agree with a second reading (seed ${seed})`, async (t) => {
    const backend = new RecordingBackend(({ method, target, body }, socket) => {
      const answer = `${method} ${target} ${body.length}`;
      const content = method === "HEAD" ? "" : answer;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\n\r\n${content}`, "latin1");
    });
    await backend.listen();
    const pool = {
      backends: [`http://127.0.0.1:${backend.port}`],
      health: "off",
      outlier: "off",
      slowdown: "off",
    };
    const limits = { body_bytes: BODY_BYTES_MAX };
    const evener = await startEvener(yamlOf({ pools: { default: pool }, limits }));
    t.after(async () => {
      await evener.stop();
      backend.close();
    });
    const random = new Random(seed);
    const expectedLog: string[] = [];
    const counts = { served: 0, refused: 0, ended: 0 };
    for (const [number, { name, bytes }] of cases.entries()) {
      const label = `EVENER_CORPUS_SEED=${seed}, case ${number}, ${name}: ${JSON.stringify(bytes)}`;
      const tail = `GET /tail/${number} HTTP/1.1\r\nHost: t\r\n\r\n${FILLER}`;
      const expected = predict(bytes + tail);
      const received = await exchange(evener.port, cut(bytes + tail, random), label);
      checkAnswers(received.text, expected, label);
      assert.equal(received.error, "", label);
      const delivered = backend.deliveries.splice(0).map((it) => `${it.method} ${it.target} ${it.body}`);
      const served = expected.filter(({ reason }) => reason === "ok");
      assert.deepEqual(
        delivered,
        served.map((it) => `${it.method} ${it.target} ${it.body}`),
        label,
      );
      for (const it of expected) {
        if (it.reason === "") counts.ended++;
        else if (it.reason === "ok") counts.served++;
        else counts.refused++;
      }
      expectedLog.push(...expected.filter(({ reason }) => reason !== "").map(logLineOf));
      await checkSentinel(evener, number, label);
      backend.deliveries.length = 0;
      expectedLog.push(`GET /sentinel/${number} ok`);
    }
    assert.deepEqual(backend.violations, []);
    await until(
      () => evener.log.length >= expectedLog.length,
      () => `the log; it has ${evener.log.length} lines`,
    );
    const log = evener.log.map((line) => logLineOf({ ...line, raw: line.target }));
    assert.deepEqual(log, expectedLog);
    // A corpus that is refused whole, or served whole, tests less than its number says.
    for (const [kind, count] of Object.entries(counts)) assert.ok(count > 100, `${kind}: ${count}`);
  });
});

/** What must happen to one message of a stream; `reason` is that of the log, "" for the end without an answer. */
interface Expected {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  /** The target as received. */
  readonly raw: string;
  readonly statuses: readonly number[];
  readonly reason: string;
}

function predict(stream: string): Expected[] {
  const expected: Expected[] = [];
  for (let at = 0; ;) {
    const reading = readRequest(stream, at);
    if (reading.kind !== "message" && reading.startLine === "") {
      expected.push({
        method: "",
        target: "",
        body: "",
        raw: "",
        statuses: UNREADABLE,
        reason: "bad_request",
      });
      return expected;
    }
    const { startLine } = reading;
    const { method, target } = targetOf(startLine);
    const it = { method, target, body: "", raw: startLine.split(" ")[1]! };
    const isWhole = reading.kind === "message";
    const isTooLarge = !isWhole || reading.body.length > BODY_BYTES_MAX;
    if (method === "CONNECT" || method === "TRACE") {
      expected.push({ ...it, statuses: [405], reason: "bad_request" });
      // Its body is not read, and nothing is that follows a CONNECT.
      if (method === "CONNECT" || !isWhole || hasBody(reading.fields)) return expected;
    } else if (isTooLarge) {
      // A body that is broken behind the limit may be either.
      const statuses = reading.kind === "refused" ? [400, 413, 431] : [413];
      return [...expected, { ...it, statuses, reason: "bad_request" }];
    } else {
      expected.push({ ...it, body: reading.body, statuses: [200], reason: "ok" });
      if (!reading.keepAlive) return [...expected, END];
    }
    at = reading.kind === "message" ? reading.end : stream.length;
  }
}

function hasBody(fields: Parameters<typeof valuesOf>[0]): boolean {
  const length = Number(valuesOf(fields, "content-length")[0] ?? 0);
  return length > 0 || valuesOf(fields, "transfer-encoding").length > 0;
}

function checkAnswers(text: string, expected: readonly Expected[], label: string): void {
  let at = 0;
  for (const it of expected) {
    if (it.reason === "") continue;
    const reading = readResponse(text, at, it.method, true);
    assert.ok(
      reading.kind === "message",
      `${reading.kind} instead of an answer: ${text.slice(at)}\n${label}`,
    );
    const status = statusOf(reading.startLine);
    assert.ok(it.statuses.includes(status), `${status} instead of ${it.statuses.join(" or ")}: ${label}`);
    if (it.reason === "ok" && it.method !== "HEAD") {
      assert.equal(reading.body, `${it.method} ${it.target} ${it.body.length}`, label);
    }
    at = reading.end;
  }
  assert.equal(text.slice(at), "", `nothing behind the last answer: ${label}`);
}

/** Nothing is stuck, nothing is poisoned: a request on a connection of its own gets its own answer. */
async function checkSentinel(evener: Evener, number: number, label: string): Promise<void> {
  const line = `GET /sentinel/${number}`;
  const sentinel = `${line} HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n`;
  const { text } = await exchange(evener.port, [sentinel], `the sentinel behind ${label}`);
  assert.ok(text.startsWith("HTTP/1.1 200 ") && text.endsWith(`\r\n\r\n${line} 0`), `${text}\n${label}`);
}

function logLineOf({ method, raw, reason }: { method: string; raw: string; reason: string }): string {
  return `${method} ${raw} ${reason}`;
}

const END: Expected = { method: "", target: "", body: "", raw: "", statuses: [], reason: "" };
