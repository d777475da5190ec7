import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chunkHead,
  escapeHeaderValue,
  httpDate,
  LAST_CHUNK,
  REASONS,
  statusLine,
} from "../../../src/http1/writer.ts";

test("status lines carry our version and the registered reason", () => {
  assert.equal(statusLine(200), "HTTP/1.1 200 OK\r\n");
  assert.equal(statusLine(431), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
  assert.equal(statusLine(599), "HTTP/1.1 599 \r\n");
  assert.equal(REASONS[503], "Service Unavailable");
});

test("chunk heads are hexadecimal", () => {
  assert.equal(chunkHead(1), "1\r\n");
  assert.equal(chunkHead(65_535), "ffff\r\n");
  assert.equal(LAST_CHUNK, "0\r\n\r\n");
});

test("dates are of the second, whatever the order of the calls", () => {
  assert.equal(httpDate(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
  assert.equal(httpDate(784_111_778_000), "Sun, 06 Nov 1994 08:49:38 GMT");
  assert.equal(httpDate(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
  assert.equal(httpDate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
});

test("a field value can not end its line or leave ASCII", () => {
  assert.equal(escapeHeaderValue("plain 100%\t~"), "plain 100%\t~");
  assert.equal(escapeHeaderValue("a\r\nX: b\0\x7f"), "a%0D%0AX: b%00%7F");
  assert.equal(escapeHeaderValue("é€"), "%C3%A9%E2%82%AC");
});
