import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskIds } from "../../../src/tasks/task-id.ts";

test("ids sort by their time, and by their order within a millisecond, whatever the clock does", () => {
  const ids = new TaskIds();
  const times = [
    1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001.7, 1_699_999_999_999, 1_700_000_000_900,
  ];
  const made = times.flatMap((ms) => Array.from({ length: 2_000 }, () => ids.next(ms)));
  assert.deepEqual(made, made.toSorted());
  assert.equal(new Set(made).size, made.length);
  for (const id of made) assert.match(id, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
});

test("two makers do not make the same, and the time can be read", () => {
  const [a, b] = [new TaskIds().next(1_469_918_176_385), new TaskIds().next(1_469_918_176_385)];
  // The example of the ULID specification.
  assert.equal(a.slice(0, 10), "01ARYZ6S41");
  assert.notEqual(a, b);
});
