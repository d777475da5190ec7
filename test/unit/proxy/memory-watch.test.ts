import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryWatch } from "../../../src/proxy/memory-watch.ts";

test("memory is short beyond 95 % of its limit, and looked at now and then only", () => {
  let [usedBytes, nowMs, looks] = [94, 0, 0];
  const used = (): number => {
    looks++;
    return usedBytes;
  };
  const watch = new MemoryWatch(100, used, () => nowMs);
  assert.equal(watch.isShort, false);
  usedBytes = 96;
  assert.equal(watch.isShort, false);
  assert.equal(looks, 1);
  nowMs = 20;
  assert.equal(watch.isShort, true);
  usedBytes = 90;
  nowMs = 40;
  assert.equal(watch.isShort, false);
});

test("where nothing is limited nobody looks", () => {
  const watch = new MemoryWatch(Number.POSITIVE_INFINITY, () => assert.fail("looked"));
  assert.equal(watch.isShort, false);
});
