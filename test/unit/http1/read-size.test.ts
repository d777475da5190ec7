import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadSize } from "../../../src/http1/read-size.ts";

test("the more waits to be written, the less is read at once", () => {
  const size = new ReadSize();
  assert.equal(size.buffer.length, 64 * 1024);
  size.heldBytes = 3 * 2 ** 20;
  assert.equal(size.buffer.length, 16 * 1024);
  size.heldBytes = 7 * 2 ** 20;
  assert.equal(size.buffer.length, 4 * 1024);
  size.heldBytes = 0;
  assert.equal(size.buffer.length, 64 * 1024);
});
