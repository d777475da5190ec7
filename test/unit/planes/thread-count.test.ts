import assert from "node:assert/strict";
import { test } from "node:test";
import { threadsThatFit } from "../../../src/planes/thread-count.ts";

test("threads: auto goes by the cores, and by the memory where that is limited", () => {
  const MiB = 2 ** 20;
  assert.equal(threadsThatFit(4, Number.POSITIVE_INFINITY), 3);
  assert.equal(threadsThatFit(1, Number.POSITIVE_INFINITY), 1);
  assert.equal(threadsThatFit(64, Number.POSITIVE_INFINITY), 8);
  assert.equal(threadsThatFit(64, 256 * MiB), 1);
  assert.equal(threadsThatFit(64, 1024 * MiB), 4);
  assert.equal(threadsThatFit(64, 64 * MiB), 1);
});
