import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { EventLog, EVENTS_MAX, FOLLOWERS_MAX } from "../../../src/admin/event-log.ts";
import type { PoolEvent } from "../../../src/core/events.ts";

const event = (reason: string): PoolEvent => ({
  atMs: 0,
  pool: "a",
  endpoint: "b",
  kind: "ejected",
  reason,
  evidence: "",
});

describe("event log", () => {
  test("numbers go up from 1, and since() begins behind the given one", () => {
    const log = new EventLog();
    assert.deepEqual([log.first, log.last, log.since(0, 10)], [1, 0, []]);
    for (const reason of ["x", "y", "z"]) log.append(event(reason));
    const found = log.since(1, 10).map(({ sequence, event: { reason } }) => [sequence, reason]);
    assert.deepEqual(found, [
      [2, "y"],
      [3, "z"],
    ]);
    assert.equal(log.since(3, 10).length, 0);
    assert.equal(log.counts.ejected, 3);
  });

  test("what an earlier process has numbered higher counts as nothing seen", () => {
    const log = new EventLog();
    log.append(event("x"));
    assert.equal(log.since(500, 10).length, 1);
  });

  test("keeps the latest 1,000 and no gap, whatever is asked for", () => {
    fc.assert(
      fc.property(fc.nat(2_500), fc.nat(2_500), fc.integer({ min: 1, max: 1_200 }), (count, since, max) => {
        const log = new EventLog();
        for (let i = 1; i <= count; i++) log.append(event(String(i)));
        const found = log.since(since, max);
        const after = since > count ? 0 : since;
        const first = Math.max(after + 1, count - EVENTS_MAX + 1);
        const length = Math.max(0, Math.min(max, count - first + 1));
        assert.deepEqual(
          found.map(({ sequence }) => sequence),
          Array.from({ length }, (_, i) => first + i),
        );
        for (const each of found) assert.equal(each.event.reason, String(each.sequence));
      }),
      { numRuns: 50 },
    );
  });

  test("a bounded number may follow; who ends makes room", () => {
    const log = new EventLog();
    let told = 0;
    const ends = Array.from({ length: FOLLOWERS_MAX }, () => log.subscribe(() => told++));
    assert.equal(
      log.subscribe(() => told++),
      null,
    );
    log.append(event("x"));
    assert.equal(told, FOLLOWERS_MAX);
    ends[0]!();
    log.append(event("y"));
    assert.equal(told, 2 * FOLLOWERS_MAX - 1);
    assert.notEqual(
      log.subscribe(() => told++),
      null,
    );
  });
});
