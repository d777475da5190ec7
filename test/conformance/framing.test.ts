// Where bodies end: rules F1 to F15 of docs/internals/http-rules.md, each tried on parser and decoder, whole
// and byte by byte, and over sockets through a running Evener. N = found by probing Node's own server.
import assert from "node:assert/strict";
import { describe, it, test, type TestContext } from "node:test";
import { BodyDecoder } from "../../src/http1/body.ts";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { FAILED } from "../../src/http1/parser.ts";
import { type BackendHandler } from "../fixtures/backend.ts";
import { RawClient } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import {
  type AcceptedRequest,
  type AcceptedResponse,
  type RefusedRequest,
  type RefusedResponse,
  acceptRequests,
  acceptResponses,
  refuseRequests,
  refuseResponses,
} from "./tables.ts";

const H = "Host: a\r\n";
const POST = `POST / HTTP/1.1\r\n${H}`;
const OK = "HTTP/1.1 200 OK\r\n";

/** Rule, head, status. */
const REFUSED_REQUESTS: readonly RefusedRequest[] = [
  ["F2 chunked is not final", `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`, 400],
  ["F2 chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`, 400],
  ["F2 N two Transfer-Encoding lines", `${POST}${"Transfer-Encoding: chunked\r\n".repeat(2)}\r\n`, 400],
  [
    "F2 chunked, then identity",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`,
    400,
  ],
  ["F2 N empty element before chunked", `${POST}Transfer-Encoding: ,chunked\r\n\r\n`, 400],
  ["F2 empty element after chunked", `${POST}Transfer-Encoding: chunked,\r\n\r\n`, 400],
  ["F2 empty Transfer-Encoding", `${POST}Transfer-Encoding:\r\n\r\n`, 400],
  ["F2 quoted chunked", `${POST}Transfer-Encoding: "chunked"\r\n\r\n`, 400],
  ["F2 chunked with a parameter", `${POST}Transfer-Encoding: chunked;a=b\r\n\r\n`, 400],
  ["F2 two words", `${POST}Transfer-Encoding: chunked x\r\n\r\n`, 400],
  ["F3 N unknown coding", `${POST}Transfer-Encoding: xchunked\r\n\r\n`, 501],
  ["F3 unknown coding before chunked", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ["F3 identity", `${POST}Transfer-Encoding: identity\r\n\r\n`, 501],
  ["F4 N chunked in HTTP/1.0", `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`, 400],
  ["F5 N CL and TE", `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ["F5 N TE and CL", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 400],
  ["F5 TE and CL 0", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n`, 400],
  ["F6 N plus", `${POST}Content-Length: +5\r\n\r\n`, 400],
  ["F6 minus", `${POST}Content-Length: -5\r\n\r\n`, 400],
  ["F6 N empty", `${POST}Content-Length:\r\n\r\n`, 400],
  ["F6 hexadecimal", `${POST}Content-Length: 0x5\r\n\r\n`, 400],
  ["F6 fraction", `${POST}Content-Length: 5.0\r\n\r\n`, 400],
  ["F6 space inside", `${POST}Content-Length: 5 5\r\n\r\n`, 400],
  ["F6 other text after", `${POST}Content-Length: 5;\r\n\r\n`, 400],
  ["F6 beyond 2^53-1", `${POST}Content-Length: 9007199254740992\r\n\r\n`, 400],
  ["F6 beyond 2^64", `${POST}Content-Length: 18446744073709551621\r\n\r\n`, 400],
  ["F6 N two differing lines", `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 400],
  ["F6 differing in case of the name", `${POST}Content-Length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
  ["F7 N list of equals", `${POST}Content-Length: 42, 42\r\n\r\n`, 400],
  ["F7 two equal lines", `${POST}Content-Length: 42\r\nContent-Length: 42\r\n\r\n`, 400],
];

/** Rule, head, what it must give. */
const ACCEPTED_REQUESTS: readonly AcceptedRequest[] = [
  ["F1 chunked", `${POST}Transfer-Encoding: Chunked\r\n\r\n`, { isChunked: true, framing: "chunked" }],
  ["F6 length", `${POST}Content-Length:   42  \r\n\r\n`, { contentLength: 42, framing: "length" }],
  [
    "F6 2^53-1",
    `${POST}Content-Length: 9007199254740991\r\n\r\n`,
    { contentLength: Number.MAX_SAFE_INTEGER },
  ],
  ["F6 zeros in front", `${POST}Content-Length: 0042\r\n\r\n`, { contentLength: 42, framing: "length" }],
  ["F6 zero", `${POST}Content-Length: 0\r\n\r\n`, { contentLength: 0, framing: "none" }],
  ["F11 no length, no body", `${POST}\r\n`, { contentLength: -1, framing: "none" }],
];

/** Rule, head. All are 502. */
const REFUSED_RESPONSES: readonly RefusedResponse[] = [
  ["F3 unknown coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ["F4 chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["F5 CL and TE", `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ["F6 differing lengths", `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`],
  ["F6 bad length", `${OK}Content-Length: 5a\r\n\r\n`],
  ["F7 list of lengths", `${OK}Content-Length: 5, 5\r\n\r\n`],
  ["F6 bad length also without a body", "HTTP/1.1 304 A\r\nContent-Length: x\r\n\r\n"],
];

/** Rule, method of the request, head, what it must give. */
const ACCEPTED_RESPONSES: readonly AcceptedResponse[] = [
  ["F1 chunked", "GET", `${OK}Transfer-Encoding: chunked\r\n\r\n`, { framing: "chunked", keepAlive: true }],
  ["F6 length", "GET", `${OK}Content-Length: 5\r\n\r\n`, { framing: "length", keepAlive: true }],
  ["F6 length 0", "GET", `${OK}Content-Length: 0\r\n\r\n`, { framing: "none", keepAlive: true }],
  ["F11 until close", "GET", `${OK}\r\n`, { framing: "close", keepAlive: false }],
  ["F10 HEAD with a length", "HEAD", `${OK}Content-Length: 5\r\n\r\n`, { framing: "none", keepAlive: true }],
  [
    "F10 HEAD with chunked",
    "HEAD",
    `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    { framing: "none", keepAlive: true },
  ],
  ["F10 HEAD with neither", "HEAD", `${OK}\r\n`, { framing: "none", keepAlive: true }],
  ["F10 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", { framing: "none", keepAlive: true }],
  [
    "F10 204 with a length",
    "GET",
    "HTTP/1.1 204 A\r\nContent-Length: 5\r\n\r\n",
    { framing: "none", keepAlive: false },
  ],
  [
    "F10 204 with length 0",
    "GET",
    "HTTP/1.1 204 A\r\nContent-Length: 0\r\n\r\n",
    { framing: "none", keepAlive: true },
  ],
  [
    "F10 304 with a length",
    "GET",
    "HTTP/1.1 304 A\r\nContent-Length: 5\r\n\r\n",
    { framing: "none", keepAlive: true },
  ],
  ["F10 205", "GET", "HTTP/1.1 205 A\r\nContent-Length: 0\r\n\r\n", { framing: "none", keepAlive: true }],
  [
    "F10 205 with a length",
    "GET",
    "HTTP/1.1 205 A\r\nContent-Length: 5\r\n\r\n",
    { framing: "none", keepAlive: false },
  ],
  ["F10 205 without a length", "GET", "HTTP/1.1 205 A\r\n\r\n", { framing: "none", keepAlive: false }],
  ["F10 100", "POST", "HTTP/1.1 100 Continue\r\n\r\n", { status: 100, framing: "none" }],
  [
    "F10 101",
    "GET",
    "HTTP/1.1 101 A\r\nConnection: upgrade\r\n\r\n",
    { framing: "none", connectionOptions: ["upgrade"] },
  ],
  ["F10 2xx to CONNECT", "CONNECT", `${OK}Content-Length: 5\r\n\r\n`, { framing: "none" }],
  ["F10 4xx to CONNECT", "CONNECT", "HTTP/1.1 405 A\r\nContent-Length: 5\r\n\r\n", { framing: "length" }],
];

refuseRequests(REFUSED_REQUESTS);
acceptRequests(ACCEPTED_REQUESTS);
refuseResponses(REFUSED_RESPONSES);
acceptResponses(ACCEPTED_RESPONSES);

/** Rule, body, error code. */
const REFUSED_CHUNKS: [string, string, string][] = [
  ["F1 N 0x size", "0x5\r\nhello\r\n0\r\n\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 N space before the size", " 5\r\nhello\r\n0\r\n\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 N space after the size", "5 \r\nhello\r\n0\r\n\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 plus", "+5\r\nhello\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 minus", "-5\r\nhello\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 underscore", "1_0\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 no digits", "\r\nhello\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 letter beyond f", "g\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 2^53", "20000000000000\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 2^64 + 5", "10000000000000005\r\nhello\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 16 digits f", "ffffffffffffffff\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 17 zeros", "00000000000000000\r\n\r\n", "HTTP_BAD_CHUNK_SIZE"],
  ["F1 bare LF after the size", "5\nhello\r\n0\r\n\r\n", "HTTP_BARE_LF"],
  ["F1 bare CR after the size", "5\rhello\r\n0\r\n\r\n", "HTTP_BARE_CR"],
  ["F1 N data longer than the size", "5\r\nhello!\r\n0\r\n\r\n", "HTTP_CHUNK_SPILL"],
  ["F1 data shorter than the size", "6\r\nhello\r\n0\r\n\r\n", "HTTP_CHUNK_SPILL"],
  ["F1 bare LF after the data", "5\r\nhello\n0\r\n\r\n", "HTTP_CHUNK_SPILL"],
  ["F1 bare CR after the data", "5\r\nhello\r0\r\n\r\n", "HTTP_CHUNK_SPILL"],
  ["F1 no line end after the data", "5\r\nhello0\r\n\r\n", "HTTP_CHUNK_SPILL"],
  ["F1 bare CR at the end", "0\r\n\rX", "HTTP_BARE_CR"],
  ["F12 N bare semicolon", "5;\r\nhello\r\n0\r\n\r\n", "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 two semicolons", "5;;a\r\nhello\r\n", "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 name missing", "5;=a\r\nhello\r\n", "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 value missing", "5;a=\r\nhello\r\n", "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 space in an extension", "5; a=b\r\nhello\r\n", "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 LF in an extension", "5;a\nhello\r\n", "HTTP_BARE_LF"],
  ["F12 LF in a quoted value", '5;a="\n"\r\nhello\r\n', "HTTP_BARE_LF"],
  ["F12 CR in a quoted value", '5;a="\r"\r\nhello\r\n', "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 CR that no LF follows", "5;a\rX", "HTTP_BARE_CR"],
  ["F12 text after a quoted value", '5;a="b"c\r\nhello\r\n', "HTTP_BAD_CHUNK_EXTENSION"],
  ["F12 one long extension", `5;${"a".repeat(5000)}`, "HTTP_LONG_CHUNK_EXTENSIONS"],
  ["F12 many short extensions", "1;abcdefgh\r\nx\r\n".repeat(500), "HTTP_LONG_CHUNK_EXTENSIONS"],
  ["F14 obs-fold in trailers", "0\r\nA: b\r\n c\r\n\r\n", "HTTP_FOLDED_LINE"],
  ["F14 space before the colon in trailers", "0\r\nA : b\r\n\r\n", "HTTP_SPACE_BEFORE_COLON"],
  ["F14 bare LF in trailers", "0\r\nA: b\n\r\n", "HTTP_BARE_LF"],
  ["F14 trailers too long", `0\r\nA: ${"b".repeat(9000)}`, "HTTP_LONG_FIELDS"],
  ["F14 too many trailers", `0\r\n${"A: b\r\n".repeat(129)}`, "HTTP_MANY_FIELDS"],
];

/** Rule, body, content, trailers. */
const ACCEPTED_CHUNKS: [string, string, string, string][] = [
  ["F1 two chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", ""],
  ["F1 no content", "0\r\n\r\n", "", ""],
  ["F1 capital digits", `1A\r\n${"x".repeat(26)}\r\n0\r\n\r\n`, "x".repeat(26), ""],
  ["F1 leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello", ""],
  ["F1 content that looks like a chunk", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n", ""],
  ["F12 extensions are dropped", '5;a;b=c;d="e \\" ;f"\r\nhello\r\n0;x=y\r\n\r\n', "hello", ""],
  ["F14 trailers", "0\r\nA:b \r\nGrpc-Status:  0\r\n\r\n", "", "A: b\r\nGrpc-Status: 0\r\n"],
  ["F14 framing", "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nA: b\r\n\r\n", "", "A: b\r\n"],
  ["F14 routing", "0\r\nHost: a\r\nForwarded: b\r\nX-Forwarded-For: c\r\nVia: d\r\n\r\n", "", ""],
  ["F14 authentication", "0\r\nAuthorization: a\r\nCookie: b\r\nSet-Cookie: c\r\n\r\n", "", ""],
  ["F14 names with _", "0\r\nX_Forwarded_For: c\r\ncontent_length: 5\r\n__proto__: x\r\n\r\n", "", ""],
  ["F14 connection", "0\r\nConnection: a\r\nUpgrade: b\r\nTE: c\r\nTrailer: d\r\n\r\n", "", ""],
];

describe("refused chunked bodies", () => {
  for (const [rule, text, code] of REFUSED_CHUNKS) {
    test(rule, () => {
      for (const step of [text.length, 1]) {
        const run = decode("chunked", 0, text, step);
        assert.equal(run.last, FAILED);
        assert.equal(run.decoder.error?.code, code);
        assert.ok((run.decoder.error?.status ?? 0) >= 400 && (run.decoder.error?.status ?? 0) < 500);
        assert.equal(run.decoder.finishOnClose(), false);
        assert.equal(run.decoder.decode(Buffer.from("0\r\n\r\n"), 0, run), FAILED, "stays failed");
      }
    });
  }

  test("F6 an error of a response is a 502", () => {
    const decoder = new BodyDecoder(DEFAULT_LIMITS, "response");
    const sink = { onPayload: (): void => undefined };
    for (const text of ["x", "0\r\nA\r\n"]) {
      decoder.start("chunked", 0);
      assert.equal(decoder.decode(Buffer.from(text), 0, sink), FAILED);
      assert.equal(decoder.error?.status, 502);
    }
  });
});

describe("accepted chunked bodies", () => {
  for (const [rule, text, content, trailers] of ACCEPTED_CHUNKS) {
    test(rule, () => {
      for (const step of [text.length + 9, 1, 3]) {
        const run = decode("chunked", 0, `${text}GET / HTT`, step);
        assert.equal(run.decoder.error, null);
        assert.ok(run.decoder.isDone);
        assert.equal(run.consumed, text.length, "what follows is not touched");
        assert.equal(run.content, content);
        assert.equal(run.decoder.trailers, trailers);
      }
    });
  }

  test("F1 2^53-1 bytes announced: the size is exact", () => {
    const { decoder, content } = decode("chunked", 0, "1fffffffffffff\r\nabc", 99);
    assert.equal(decoder.error, null);
    assert.equal(content, "abc");
    assert.equal(decoder.finishOnClose(), false, "F9 a close within it is a break");
  });

  test("one decoder, one body after the other", () => {
    const { decoder } = decode("chunked", 0, "0\r\nA: b\r\n\r\n", 99);
    let content = "";
    const sink = {
      onPayload: (bytes: Buffer, start: number, end: number): void => {
        content += bytes.toString("latin1", start, end);
      },
    };
    decoder.start("chunked", 0);
    assert.equal(decoder.trailers, "");
    decoder.decode(Buffer.from("2\r\nhi\r\n0\r\nC: d\r\n\r\n"), 0, sink);
    assert.equal(content, "hi");
    assert.equal(decoder.trailers, "C: d\r\n");
  });
});

describe("other framings", () => {
  test("F9 a length is kept to the byte, and a close before it is a break", () => {
    for (const step of [99, 1, 2]) {
      const { decoder, consumed, content } = decode("length", 5, "helloGET", step);
      assert.deepEqual([decoder.isDone, consumed, content, decoder.bytesLeft], [true, 5, "hello", 0]);
    }
    const { decoder } = decode("length", 5, "hell", 99);
    assert.deepEqual([decoder.isDone, decoder.bytesLeft, decoder.finishOnClose()], [false, 1, false]);
  });

  test("F11 until close: a close is the end", () => {
    const { decoder, consumed, content } = decode("close", -1, "hello", 2);
    assert.deepEqual([decoder.isDone, consumed, content], [false, 5, "hello"]);
    assert.equal(decoder.finishOnClose(), true);
    assert.equal(decoder.isDone, true);
  });

  test("F11 none: nothing is read", () => {
    const { decoder, consumed, content } = decode("none", 5, "hello", 99);
    assert.deepEqual([decoder.isDone, consumed, content, decoder.finishOnClose()], [true, 0, "", true]);
  });
});

/** One request through a new Evener, and the client's connection. */
async function send(
  t: TestContext,
  raw: string,
  handler?: BackendHandler,
): Promise<Scene & { client: RawClient }> {
  const scene = await setUp(t, handler === undefined ? {} : { handler });
  const client = await scene.connect();
  client.send(raw);
  return { ...scene, client };
}

/** The backend answers with these bytes; the connection stays open. */
function saying(raw: string): BackendHandler {
  return (request): void => request.write(raw);
}

describe("framing on its way through", () => {
  const chunkedPost = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

  it("F1 F12 chunks are framed anew, extensions and all that is odd about sizes stay behind", async (t) => {
    const raw = `${chunkedPost}0005;a="b"\r\nhello\r\n1;c\r\n!\r\n000;d\r\n\r\n`;
    const { backend, client } = await send(
      t,
      raw,
      saying(`${OK}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`),
    );
    const response = await client.response();
    assert.equal((await backend.requests[0]!.body()).toString(), "hello!");
    assert.equal(response.body, "hi you");
    assert.doesNotMatch(response.rawHead, /content-length/i);
  });

  it("F1 a size that would overflow is refused before its data", async (t) => {
    const { backend, client } = await send(t, `${chunkedPost}10000000000000005\r\nhello\r\n0\r\n\r\n`);
    assert.equal((await client.response()).status, 400);
    await client.closed();
    assert.equal(backend.requests.length, 0);
  });

  it("F12 extensions without an end are refused", async (t) => {
    const { client, evener } = await send(t, `${chunkedPost}5;${"a".repeat(5000)}`);
    assert.equal((await client.response()).status, 400);
    await client.closed();
    await evener.idle();
  });

  it("F8 class 17 the backend gets exactly one length or one coding, in its plainest form", async (t) => {
    const heads = [
      "Content-Length: 0005\r\n\r\nhello",
      "content-length:\t5 \r\n\r\nhello",
      "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];
    const expected = [/^content-length:\s+5 ?$/i, /^content-length:\s*5 ?$/i, /^transfer-encoding: chunked$/];
    for (const [i, head] of heads.entries()) {
      const { backend, client } = await send(
        t,
        `${POST}Connection: content-length, transfer-encoding\r\n${head}`,
      );
      assert.equal((await client.response()).status, 200);
      const { rawHead } = backend.requests[0]!;
      const lines = rawHead
        .split("\r\n")
        .filter((line) => /^(?:content-length|transfer-encoding):/i.test(line));
      assert.equal(lines.length, 1, rawHead);
      assert.match(lines[0]!, expected[i]!);
      assert.equal((await backend.requests[0]!.body()).toString(), "hello");
    }
  });

  it("F9 a client that goes in mid-body leaves no whole request and no usable connection behind", async (t) => {
    for (const raw of [`${POST}Content-Length: 9\r\n\r\nhello`, `${chunkedPost}5\r\nhello\r\n`]) {
      const { backend, client } = await send(t, raw, () => {});
      const request = await backend.request(0);
      client.end();
      await request.closed;
      assert.equal(request.isBodyDone, false);
    }
  });

  const broken: Readonly<Record<string, string>> = {
    "a length": `${OK}Content-Length: 9\r\n\r\nhello`,
    chunks: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    "chunks, in a size": `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5`,
  };
  for (const [name, raw] of Object.entries(broken)) {
    it(`F9 an answer that breaks off (${name}) is never padded nor ended: the client sees the break`, async (t) => {
      const { backend, client } = await send(t, `${POST}\r\n`, saying(raw));
      await client.until("hello");
      backend.requests[0]!.close();
      await client.closed();
      assert.doesNotMatch(client.received, /0\r\n\r\n$/);
      assert.match(client.received, /hello(?:\r\n)?$/);
    });
  }

  it("F9 F13 an answer that breaks off before an HTTP/1.0 client ends in a reset: its end is no mark there", async (t) => {
    const scene = await setUp(t, { handler: saying(broken["chunks"]!) });
    const client = await scene.connect();
    client.send("POST / HTTP/1.0\r\n\r\n");
    await client.until("hello");
    scene.backend.requests[0]!.close();
    await client.closed();
    assert.equal(client.error?.code, "ECONNRESET");
  });

  it("F10 1xx, 204, 205, 304 and answers to HEAD: no coding, no body, and no length where there can be none", async (t) => {
    const cases: [string, string, RegExp | null][] = [
      ["GET", "204 A\r\nContent-Length: 5\r\n\r\nhello", null],
      ["GET", "204 A\r\nTransfer-Encoding: chunked\r\n\r\n", null],
      ["GET", "205 A\r\nContent-Length: 5\r\n\r\nhello", /^content-length: 0$/],
      ["GET", "205 A\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", /^content-length: 0$/],
      ["GET", "205 A\r\n\r\n", /^content-length: 0$/],
      ["GET", "304 A\r\nContent-Length: 5\r\n\r\n", /^Content-Length: 5$/],
      ["GET", "304 A\r\nTransfer-Encoding: chunked\r\n\r\n", null],
      ["HEAD", "200 A\r\nContent-Length: 5\r\n\r\n", /^Content-Length: 5$/],
      ["HEAD", "200 A\r\nTransfer-Encoding: chunked\r\n\r\n", null],
      ["GET", "103 A\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 A\r\n\r\n", null],
    ];
    for (const [method, answer, length] of cases) {
      const raw = `${method} / HTTP/1.1\r\n${H}\r\nGET /next HTTP/1.1\r\n${H}\r\n`;
      const { client } = await send(t, raw, (request) => {
        if (request.target === "/next") request.respond(200, "next");
        else request.write(`HTTP/1.1 ${answer}`);
      });
      const { rawHead } = await client.response({ isHead: true });
      const lines = rawHead
        .split("\r\n")
        .filter((line) => /^(?:content-length|transfer-encoding):/i.test(line));
      assert.equal(lines.length, length === null ? 0 : 1, rawHead);
      if (length !== null) assert.match(lines[0]!, length);
      if (answer.startsWith("103")) await client.response();
      assert.equal((await client.response()).body, "next");
    }
  });

  it("F11 a request without length and coding has no body: what follows is the next request", async (t) => {
    const { backend, client } = await send(t, `${POST}\r\nGET /next HTTP/1.1\r\n${H}\r\n`);
    await client.response();
    await client.response();
    assert.deepEqual(
      backend.requests.map(({ method, target }) => `${method} ${target}`),
      ["POST /", "GET /next"],
    );
  });

  it("F11 an answer without length and coding ends with its connection, and is chunked on", async (t) => {
    const { client } = await send(t, `${POST}\r\n`, (request) => {
      request.write(`${OK}\r\nhello`);
      request.close();
    });
    const response = await client.response();
    assert.equal(response.headers.get("transfer-encoding"), "chunked");
    assert.equal(response.body, "hello");
  });

  it("F13 an HTTP/1.0 client never gets a coding", async (t) => {
    const { client } = await send(
      t,
      "GET / HTTP/1.0\r\n\r\n",
      saying(`${OK}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`),
    );
    const response = await client.response();
    assert.equal(response.headers.get("transfer-encoding"), undefined);
    assert.equal(response.headers.get("connection"), "close");
    assert.equal(response.body, "hi you");
  });

  it("F14 P2 trailers that Connection names are for this hop only, both ways", async (t) => {
    const raw = `${POST}Connection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-hop: 1\r\nx-end: 2\r\n\r\n`;
    const answer = `${OK}Connection: x-back\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Back: 1\r\nX-End: 2\r\n\r\n`;
    const { backend, client } = await send(t, raw, saying(answer));
    const response = await client.response();
    await backend.requests[0]!.body();
    assert.equal(backend.requests[0]!.trailers, "x-end: 2\r\n");
    assert.equal(response.trailers, "X-End: 2\r\n");
  });

  it("F14 trailers of an answer stay trailers, and a client without chunks gets none", async (t) => {
    const answer = `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: evil\r\n\r\n`;
    const { client, connect } = await send(
      t,
      `GET / HTTP/1.1\r\n${H}TE: trailers\r\nConnection: TE\r\n\r\n`,
      saying(answer),
    );
    const response = await client.response();
    assert.equal(response.trailers, "Grpc-Status: 0\r\n");
    assert.equal(response.headers.get("grpc-status"), undefined);
    const old = await connect();
    old.send("GET / HTTP/1.0\r\n\r\n");
    assert.doesNotMatch((await old.response()).body, /grpc|evil/i);
  });

  for (const [name, more] of [
    ["another answer", `${OK}Content-Length: 4\r\n\r\nevil`],
    ["an empty line", "\r\n"],
    ["one byte", "x"],
  ] as const) {
    it(`F15 class 4 ${name} behind the answer is never taken for the next one`, async (t) => {
      const { backend, client } = await send(t, `${POST}\r\n${POST}\r\n`, (request) => {
        if (request.nth === 0) request.write(`${OK}Content-Length: 2\r\n\r\nok${more}`);
        else request.respond(200, "reused");
      });
      for (let i = 0; i < 2; i++) assert.equal((await client.response()).body, "ok");
      assert.equal(backend.used, 2);
      await backend.requests[0]!.closed;
    });
  }

  it("F15 class 4 bytes on an idle connection to a backend close it", async (t) => {
    const { backend, client } = await send(t, `${POST}\r\n`);
    await client.response();
    backend.requests[0]!.write(`${OK}Content-Length: 4\r\n\r\nevil`);
    await backend.requests[0]!.closed;
    client.send(`${POST}\r\n`);
    assert.equal((await client.response()).body, "hello from a");
  });
});

const CHUNKS = '2;a="b"\r\nhi\r\n0004\r\n you\r\n0;c\r\n\r\n';

interface Run {
  decoder: BodyDecoder;
  last: number;
  consumed: number;
  content: string;
  onPayload(bytes: Buffer, start: number, end: number): void;
}

/** Decodes in pieces of `step` bytes until the body is done, refused, or the text is used up. */
function decode(
  framing: "none" | "length" | "chunked" | "close",
  length: number,
  text: string,
  step: number,
): Run {
  const run: Run = {
    decoder: new BodyDecoder(DEFAULT_LIMITS, "request"),
    last: 0,
    consumed: 0,
    content: "",
    onPayload(bytes, start, end) {
      assert.ok(end > start);
      run.content += bytes.toString("latin1", start, end);
    },
  };
  run.decoder.start(framing, length);
  const bytes = Buffer.from(text, "latin1");
  while (run.consumed < bytes.length && !run.decoder.isDone) {
    const piece = bytes.subarray(run.consumed, run.consumed + step);
    run.last = run.decoder.decode(piece, 0, run);
    if (run.last === FAILED) break;
    assert.ok(run.decoder.isDone || run.last === piece.length);
    run.consumed += run.last;
  }
  return run;
}
