// Chunked coding by rule (F = framing), each body tried whole and byte by byte.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BodyDecoder } from "../../src/http1/body.ts";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { FAILED } from "../../src/http1/parser.ts";

/** Rule, body, error code. */
const REFUSED: [string, string, string][] = [
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
const ACCEPTED: [string, string, string, string][] = [
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
  for (const [rule, text, code] of REFUSED) {
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
  for (const [rule, text, content, trailers] of ACCEPTED) {
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
