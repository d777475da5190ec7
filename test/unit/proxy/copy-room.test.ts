import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyRoom } from "../../../src/proxy/copy-room.ts";

test("memory is used again until it is given away", () => {
  const room = new CopyRoom();
  const first = room.take(10);
  assert.equal(room.take(70_000), first);
  room.giveAway();
  const second = room.take(10);
  assert.notEqual(second, first);
  assert.ok(room.take(1_000_000).length >= 1_000_000);
});
