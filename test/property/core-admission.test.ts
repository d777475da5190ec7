import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { RetryBudget } from "../../src/core/admission/retry-budget.ts";
import { type QueueEntry, rankOf, WaitQueue } from "../../src/core/admission/wait-queue.ts";
import { Lease } from "../../src/core/lease.ts";
import { WORK_CLASSES, Work } from "../../src/core/work.ts";

const SILENT = { decided: (): void => {} };

test("the wait queue does what a sorted array does", () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant("push" as const), class: fc.nat(WORK_CLASSES.length - 1) }),
    fc.record({ do: fc.constant("remove" as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant("removeAgain" as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant("expire" as const), afterMs: fc.nat(40) }),
    fc.record({ do: fc.constant("limitWait" as const), waitMs: fc.nat(WAIT_MS) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const queue = new WaitQueue();
      /** In the order in which they leave. */
      const model: QueueEntry[] = [];
      const gone: QueueEntry[] = [];
      let nowMs = 0;
      let waitMs = WAIT_MS;
      let places = 0;
      for (const command of commands) {
        nowMs++;
        if (command.do === "push") {
          const work = new Work();
          work.classIndex = command.class;
          const rank = rankOf(work.classIndex, ++places);
          const times = { sinceMs: nowMs, deadlineMs: nowMs + waitMs };
          const entry = queue.push({ work, lease: new Lease(), waiter: SILENT, rank, ...times });
          const behind = model.findIndex((other) => other.work.classIndex > command.class);
          model.splice(behind < 0 ? model.length : behind, 0, entry);
        } else if (command.do === "remove") {
          const [entry] = model.splice(command.which % Math.max(1, model.length), 1);
          if (entry === undefined) continue;
          assert.equal(queue.remove(entry), true);
          gone.push(entry);
        } else if (command.do === "removeAgain") {
          const entry = gone[command.which % Math.max(1, gone.length)];
          if (entry !== undefined) assert.equal(queue.remove(entry), false);
        } else if (command.do === "limitWait") {
          waitMs = command.waitMs;
          queue.limitWait(waitMs);
          for (const entry of model) assert.ok(entry.deadlineMs <= entry.sinceMs + waitMs);
        } else {
          nowMs += command.afterMs;
          const due = model.filter((entry) => entry.deadlineMs <= nowMs);
          for (const entry of due) {
            assert.equal(queue.takeExpired(nowMs), entry);
            model.splice(model.indexOf(entry), 1);
            gone.push(entry);
          }
          assert.equal(queue.takeExpired(nowMs), null);
        }
        assert.deepEqual(walk(queue), model);
        assert.equal(queue.length, model.length);
        assert.equal(queue.firstRank, model[0]?.rank ?? Number.POSITIVE_INFINITY);
        assert.equal(
          queue.oldestSinceMs(),
          Math.min(Number.POSITIVE_INFINITY, ...model.map((e) => e.sinceMs)),
        );
      }
    }),
    { numRuns: 300 },
  );
});

test("retries never go beyond the budget, and all of it can be used", () => {
  const moment = fc.record({
    afterMs: fc.oneof(fc.nat(20), fc.nat(3_000)),
    requests: fc.nat(8),
    retries: fc.nat(8),
  });
  const budgets = fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), perSecondMin: fc.nat(3) });
  fc.assert(
    fc.property(budgets, fc.array(moment, { maxLength: 80 }), ({ share, perSecondMin }, moments) => {
      const budget = new RetryBudget(share, perSecondMin);
      const requests: number[] = [];
      const retries: number[] = [];
      let nowMs = 0;
      for (const moment of moments) {
        nowMs += moment.afterMs;
        for (let i = 0; i < moment.requests; i++) {
          budget.request(nowMs);
          requests.push(nowMs);
        }
        for (let i = 0; i < moment.retries; i++) {
          const allowed = Math.max(share * lately(requests, nowMs), perSecondMin * 10);
          const isLeft = lately(retries, nowMs) + 1 <= allowed;
          assert.equal(budget.take(nowMs), isLeft);
          if (isLeft) retries.push(nowMs);
        }
      }
    }),
  );
});

const WAIT_MS = 60;

function walk(queue: WaitQueue): QueueEntry[] {
  const entries: QueueEntry[] = [];
  for (let entry = queue.first(); entry !== null; entry = queue.after(entry)) entries.push(entry);
  return entries;
}

/** How many happened in this second or the nine before. */
function lately(times: readonly number[], nowMs: number): number {
  return times.filter((atMs) => Math.floor(atMs / 1_000) > Math.floor(nowMs / 1_000) - 10).length;
}
