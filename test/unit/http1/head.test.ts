import assert from "node:assert/strict";
import { test } from "node:test";
import { DECEPTIVE_FIELD_MIN, FIELD, FIELD_NAMES, fieldId, fieldIdOf } from "../../../src/http1/fields.ts";
import { FAILED, NEED_MORE, RequestParser, ResponseParser } from "../../../src/http1/parser.ts";
import { PARSE_ERRORS } from "../../../src/http1/parse-error.ts";

test("every known name is found in any case, and no neighbour of one", () => {
  for (let id = 1; id < FIELD_NAMES.length; id++) {
    const name = FIELD_NAMES[id]!;
    for (const spelling of [name, name.toUpperCase()]) {
      const bytes = Buffer.from(`..${spelling}..`);
      assert.equal(fieldId(bytes, 2, 2 + name.length), id, name);
      assert.equal(fieldIdOf(name), id);
      assert.notEqual(fieldId(bytes, 2, 1 + name.length), id);
      assert.notEqual(fieldId(bytes, 2, 3 + name.length), id);
    }
    for (let i = 0; i < name.length; i++) {
      const changed = Buffer.from(name);
      changed[i] = changed[i] === 0x71 ? 0x7a : 0x71;
      assert.notEqual(fieldId(changed, 0, changed.length), id, changed.toString());
    }
  }
  assert.equal(FIELD_NAMES[FIELD.xForwardedFor], "x-forwarded-for");
  assert.equal(FIELD_NAMES[DECEPTIVE_FIELD_MIN], "transfer_encoding");
  assert.equal(fieldId(Buffer.from("a".repeat(200)), 0, 200), FIELD.unknown);
  assert.equal(fieldIdOf("x-unknown"), FIELD.unknown);
});

test("fields keep their order, their spelling and their lines", () => {
  const parser = new RequestParser();
  const text =
    "GET /a HTTP/1.1\r\nHOST: A\r\nX-One:  1 \r\nset-cookie: a\r\nX-Two:\t2\r\nSet-Cookie: b\r\n\r\n";
  const bytes = Buffer.from(`xx${text}yy`);
  assert.equal(parser.parse(bytes, 2), 2 + text.length);
  const head = parser.head;
  assert.equal(head.bytes, bytes, "no copy");
  assert.equal(head.count, 5);
  assert.deepEqual([head.nameAt(0), head.valueAt(0), head.ids[0]], ["HOST", "A", FIELD.host]);
  assert.deepEqual([head.nameAt(1), head.valueAt(1), head.ids[1]], ["X-One", "1", FIELD.unknown]);
  assert.equal(head.get("x-TWO"), "2");
  assert.equal(head.get("x-none"), null);
  assert.equal(head.get("Set-Cookie"), "a");
  assert.equal(head.value(FIELD.setCookie), "a");
  assert.equal(head.value(FIELD.cookie), null);
  assert.equal(head.lines(1, 3), "X-One:  1 \r\nset-cookie: a\r\n");
  assert.equal(head.lines(0, 5), text.slice(text.indexOf("HOST"), -2));
});

test("what was kept is found again, and what follows the head is not taken", () => {
  const parser = new RequestParser();
  const first = Buffer.from("junkPOST /p HTTP/1.1\r\nHost: a\r\nContent-Len");
  assert.equal(parser.hasBegun, false);
  assert.equal(parser.parse(first, 4), NEED_MORE);
  assert.equal(parser.hasBegun, true);
  first.fill(0x21);
  const body = "b".repeat(50_000);
  const second = Buffer.from(`..gth: 50000\r\n\r\n${body}`);
  assert.equal(parser.parse(second, 2), second.length - body.length);
  assert.equal(parser.hasBegun, false);
  assert.deepEqual([parser.head.path, parser.head.host, parser.head.contentLength], ["/p", "a", 50_000]);
  assert.equal(parser.head.lines(0, 2), "Host: a\r\nContent-Length: 50000\r\n");
});

test("empty lines alone are not the beginning of a request, also when they come one by one", () => {
  const parser = new RequestParser();
  assert.equal(parser.parse(Buffer.from("\r\n"), 0), NEED_MORE);
  assert.equal(parser.hasBegun, false);
  assert.equal(parser.parse(Buffer.from("\r\n"), 0), NEED_MORE);
  assert.equal(parser.parse(Buffer.from("\r\n"), 0), FAILED);
  assert.equal(parser.error, PARSE_ERRORS.emptyLines);
});

test("a bad byte is refused before its line is complete", () => {
  for (const text of [
    "GET /\x01",
    "G:",
    "GET / X",
    "GET / HTTP/2.0",
    "GET / HTTP/1.1\r\nA ",
    "GET / HTTP/1.1\r\nA: \0",
  ]) {
    assert.equal(new RequestParser().parse(Buffer.from(text, "latin1"), 0), FAILED, JSON.stringify(text));
  }
  assert.equal(new ResponseParser().parse(Buffer.from("HTTP/1.1 6"), 0), FAILED);
});

test("after a reset the next message starts clean", () => {
  const parser = new RequestParser();
  assert.equal(parser.parse(Buffer.from("\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x\r\nbad"), 0), NEED_MORE);
  parser.reset();
  const text = Buffer.from("\r\n\r\nGET /b HTTP/1.1\r\nHost: c\r\n\r\n");
  assert.equal(parser.parse(text, 0), text.length);
  assert.deepEqual(
    [parser.head.path, parser.head.host, parser.head.count, parser.head.upgrade],
    ["/b", "c", 1, null],
  );
});

test("nothing of a message leaks into the next one", () => {
  const parser = new RequestParser();
  const parts = [
    "POST http://b:1/x?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n" +
      "Connection: close, upgrade\r\nUpgrade: y\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /x HTTP/1.0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
  ];
  const bytes = Buffer.from(parts.join(""));
  const seen: unknown[] = [];
  for (let at = 0; at < bytes.length;) {
    at = parser.parse(bytes, at);
    const { method, targetForm, originTarget, query, host, framing, expectsContinue, keepAlive, upgrade } =
      parser.head;
    seen.push([method, targetForm, originTarget, query, host, framing, expectsContinue, keepAlive, upgrade]);
  }
  assert.deepEqual(seen, [
    ["POST", "absolute", "/x?q", "q", "b:1", "chunked", true, false, "y"],
    ["GET", "origin", "/x", "", "a", "none", false, true, null],
    ["GET", "origin", "/x", "", "", "none", false, false, null],
    ["GET", "origin", "/x", "", "a", "none", false, true, null],
  ]);
});

test("a head of 40 KiB may drip in byte by byte", () => {
  const parser = new RequestParser();
  const text = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(40_000)}\r\n\r\n`);
  for (let i = 0; i < text.length - 1; i++) assert.equal(parser.parse(text.subarray(i, i + 1), 0), NEED_MORE);
  assert.equal(parser.parse(text.subarray(-1), 0), 1);
  assert.equal(parser.head.get("x")?.length, 40_000);
});
