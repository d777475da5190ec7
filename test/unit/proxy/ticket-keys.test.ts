import assert from "node:assert/strict";
import { test } from "node:test";
import { TicketKeys } from "../../../src/proxy/ticket-keys.ts";

const HOURS_12 = 12 * 3_600_000;

test("threads with one seed have the same keys, whenever they begin", () => {
  const nowMs = Date.now();
  const main = new TicketKeys();
  const first = new TicketKeys(main.seed(nowMs));
  const before = first.keyFor("a", nowMs);
  assert.equal(before.length, 48);
  assert.deepEqual(first.keyFor("a", nowMs), before);
  const laterMs = nowMs + 3 * HOURS_12;
  const late = new TicketKeys(main.seed(laterMs));
  assert.deepEqual(first.keyFor("a", laterMs), late.keyFor("a", laterMs));
  assert.notDeepEqual(first.keyFor("a", laterMs), before);
});

test("purposes and seeds differ; time does not run back", () => {
  const nowMs = Date.now();
  const keys = new TicketKeys();
  assert.notDeepEqual(keys.keyFor("a", nowMs), keys.keyFor("b", nowMs));
  assert.notDeepEqual(keys.keyFor("a", nowMs), new TicketKeys().keyFor("a", nowMs));
  const later = keys.keyFor("a", nowMs + HOURS_12);
  assert.deepEqual(keys.keyFor("a", nowMs), later);
});
