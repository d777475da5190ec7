// Whose turn it is, against the plain definition, and what nobody may gain or lose.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import type { Waiting } from "../../src/core/tasks/engine-link.ts";
import { AGE_MS, FairQueue } from "../../src/core/tasks/fair-queue.ts";
import { DEFAULT_TENANT_RULE, type TenantRule } from "../../src/core/tasks/tenants.ts";

const bySeconds = (_: Waiting, seconds: number): number => seconds;

test("add, remove, look and forget agree with a list, whatever happens in between", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "add", "add", "remove", "begin", "end", "repredict"),
    tenant: fc.constantFrom("a", "b", "c"),
    priority: fc.integer({ min: 0, max: 9 }),
    key: fc.constantFrom("k", "l", "m", "n"),
    gpu: fc.nat(2),
    which: fc.nat(1000),
    seconds: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const queue = new FairQueue();
      const waiting = new Map<string, Waiting>();
      const running: { task: Waiting; cost: number }[] = [];
      const seconds = new Map<string, number>();
      let nowMs = 0;
      for (const { what, which, ...given } of steps) {
        nowMs += which * 10;
        if (what === "add") {
          const task = waitingTask(`t${nowMs}-${waiting.size}`, { ...given, sinceMs: nowMs });
          if (!seconds.has(task.key)) seconds.set(task.key, given.seconds);
          queue.add(task, seconds.get(task.key)!);
          waiting.set(task.id, task);
        } else if (what === "remove" && waiting.size > 0) {
          const id = [...waiting.keys()][which % waiting.size]!;
          queue.remove(id);
          waiting.delete(id);
        } else if (what === "begin") {
          // Several leave, and one comes, in the middle of a look.
          queue.walk(nowMs, bySeconds, (task) => {
            assert.ok(waiting.delete(task.id), `${task.id} does not wait`);
            queue.remove(task.id);
            queue.began(task, 1, nowMs);
            running.push({ task, cost: 1 });
            const late = waitingTask(`late${running.length}-${nowMs}`, { ...given, sinceMs: nowMs });
            if (which % 3 === 0) {
              queue.add(late, seconds.get(late.key) ?? 1);
              waiting.set(late.id, late);
            }
            return running.length % 3 === 0 ? "enough" : "begun";
          });
        } else if (what === "end" && running.length > 0) {
          const [{ task, cost }] = running.splice(which % running.length, 1) as [(typeof running)[number]];
          queue.ended(task, cost, given.seconds);
        } else if (what === "repredict") {
          seconds.set(given.key, given.seconds);
          queue.repredict(given.key, given.seconds);
        }
        assert.equal(queue.size, waiting.size);
        const seen = queue.first(1e6, nowMs, bySeconds).map(({ id }) => id);
        assert.deepEqual(seen.toSorted(), [...waiting.keys()].sort());
        assert.ok(queue.seconds >= 0 && (waiting.size > 0 || queue.seconds === 0));
      }
    }),
  );
});

test("of one tenant: by priority, then the longest, then the oldest", () => {
  const task = fc.record({ priority: fc.integer({ min: 0, max: 9 }), key: fc.integer({ min: 1, max: 6 }) });
  fc.assert(
    fc.property(fc.array(task, { maxLength: 60 }), fc.nat(59), (all, most) => {
      const queue = new FairQueue();
      const tasks = all.map(({ priority, key }, i) =>
        waitingTask(`t${i}`, { priority, key: `${key}`, gpu: key % 3 }),
      );
      for (const it of tasks) queue.add(it, Number(it.key));
      const expected = tasks
        .map((it, i) => ({ it, i }))
        .toSorted(
          (a, b) => b.it.priority - a.it.priority || Number(b.it.key) - Number(a.it.key) || a.i - b.i,
        );
      assert.deepEqual(
        queue.first(most, 0, bySeconds).map(({ id }) => id),
        expected.slice(0, most).map(({ it }) => it.id),
      );
    }),
  );
});

test("what is learned of a key moves those that wait already", () => {
  const queue = new FairQueue();
  for (let i = 0; i < 3; i++) queue.add(waitingTask(`a${i}`, { key: "a" }), 1);
  for (let i = 0; i < 3; i++) queue.add(waitingTask(`b${i}`, { key: "b" }), 1);
  assert.equal(queue.first(1, 0, bySeconds)[0]!.id, "a0");
  queue.repredict("b", 10);
  assert.equal(queue.first(1, 0, bySeconds)[0]!.id, "b0");
  assert.ok(Math.abs(queue.seconds - 33) < 1e-9);
});

test("a low priority under an endless flood of a higher one: one task each (difference x AGE_MS)", () => {
  const queue = new FairQueue();
  queue.add(waitingTask("low", { priority: 2 }), 1);
  let beganMs = -1;
  for (let nowMs = 0; beganMs < 0 && nowMs < 20 * AGE_MS; nowMs += 1000) {
    queue.add(waitingTask(`high${nowMs}`, { priority: 7, sinceMs: nowMs }), 5);
    const [task] = queue.first(1, nowMs, bySeconds);
    begin(queue, task!, nowMs);
    queue.ended(task!, 5, 5);
    if (task!.id === "low") beganMs = nowMs;
  }
  assert.equal(beganMs, 5 * AGE_MS);
});

test("a short task under an endless flood of longer ones of its own priority begins by its age", () => {
  const queue = new FairQueue();
  queue.add(waitingTask("short", { key: "short" }), 1);
  let beganMs = -1;
  for (let nowMs = 0; beganMs < 0 && nowMs < 20 * AGE_MS; nowMs += 1000) {
    queue.add(waitingTask(`long${nowMs}`, { key: "long", sinceMs: nowMs }), 5);
    const [task] = queue.first(1, nowMs, bySeconds);
    begin(queue, task!, nowMs);
    if (task!.id === "short") beganMs = nowMs;
  }
  assert.ok(beganMs >= AGE_MS && beganMs <= AGE_MS + 4000, `after ${beganMs} ms`);
});

test("a shape that there is no room for is passed over at once, however many ask for it", () => {
  const queue = new FairQueue();
  for (let i = 0; i < 10_000; i++) queue.add(waitingTask(`gpu${i}`, { key: `k${i % 50}`, gpu: 1 }), 100);
  queue.add(waitingTask("cpu", {}), 1);
  const seen: string[] = [];
  queue.walk(0, bySeconds, ({ id }) => {
    seen.push(id);
    return id === "cpu" ? "enough" : "full";
  });
  assert.deepEqual(seen, ["gpu0", "cpu"]);
});

test("caps and token buckets: never more at once, never faster, and others go on", () => {
  const rules: Record<string, Partial<TenantRule>> = {
    capped: { runningMax: 2 },
    slow: { startsPerSecond: 5, startsBurst: 3 },
  };
  const queue = new FairQueue((tenant) => ({ ...DEFAULT_TENANT_RULE, ...rules[tenant] }));
  for (const tenant of ["capped", "slow", "free"]) {
    for (let i = 0; i < 500; i++) queue.add(waitingTask(`${tenant}${i}`, { tenant }), 1);
  }
  const running: Waiting[] = [];
  const starts: Record<string, number> = { capped: 0, slow: 0, free: 0 };
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) {
    for (const task of queue.first(4, nowMs, bySeconds)) {
      begin(queue, task, nowMs);
      running.push(task);
      starts[task.tenant]!++;
    }
    assert.ok(running.filter(({ tenant }) => tenant === "capped").length <= 2);
    assert.ok(starts.slow! <= 3 + (nowMs / 1000) * 5);
    while (running.length > 8) queue.ended(running.shift()!, 1, 1);
  }
  assert.ok(starts.slow! >= 50, `${starts.slow}`);
  assert.ok(starts.free! > 100 && starts.capped! > 50, JSON.stringify(starts));
});

test("a tenant that was away has saved nothing up, and one that ran up a debt does not lose it by a pause", () => {
  const queue = new FairQueue();
  let count = 0;
  const add = (tenant: string, many: number): void => {
    for (let i = 0; i < many; i++) queue.add(waitingTask(`${tenant}${count++}`, { tenant }), 1);
  };
  const run = (turns: number): Record<string, number> => {
    const got: Record<string, number> = {};
    for (let i = 0; i < turns; i++) {
      const [task] = queue.first(1, 0, bySeconds);
      begin(queue, task!, 0);
      queue.ended(task!, 1, 1);
      got[task!.tenant] = (got[task!.tenant] ?? 0) + 1;
    }
    return got;
  };
  add("busy", 1000);
  add("brief", 1);
  run(300);
  add("brief", 100);
  add("new", 100);
  const got = run(60);
  for (const tenant of ["busy", "brief", "new"]) {
    assert.ok(Math.abs(got[tenant]! - 20) <= 1, JSON.stringify(got));
  }
});

test("a prediction that was wrong is made good: what counts is what was measured", () => {
  const queue = new FairQueue();
  for (let i = 0; i < 2000; i++) {
    queue.add(waitingTask(`a${i}`, { tenant: "underrated", key: "a" }), 1);
    queue.add(waitingTask(`b${i}`, { tenant: "overrated", key: "b" }), 1);
  }
  const used: Record<string, number> = { underrated: 0, overrated: 0 };
  for (let i = 0; i < 1000; i++) {
    const [task] = queue.first(1, 0, bySeconds);
    begin(queue, task!, 0);
    const measured = task!.tenant === "underrated" ? 5 : 0.5;
    queue.ended(task!, 1, measured);
    used[task!.tenant]! += measured;
  }
  assert.ok(Math.abs(used.underrated! / used.overrated! - 1) < 0.02, JSON.stringify(used));
});

test("weights are shares", () => {
  const queue = new FairQueue((tenant) => ({ ...DEFAULT_TENANT_RULE, weight: tenant === "a" ? 3 : 1 }));
  for (let i = 0; i < 500; i++) {
    for (const tenant of ["a", "b"]) queue.add(waitingTask(`${tenant}${i}`, { tenant }), 1);
  }
  const first = queue.first(400, 0, bySeconds).filter(({ tenant }) => tenant === "a").length;
  assert.ok(Math.abs(first - 300) <= 1, `${first}`);
});

test("what was there is forgotten: tenants that are idle and owe nothing take no room", () => {
  const queue = new FairQueue();
  for (let i = 0; i < 100; i++) {
    const task = waitingTask(`t${i}`, { tenant: `tenant${i}`, priority: i % 10 });
    queue.add(task, 1);
    begin(queue, task, 0);
    queue.ended(task, 1, 2);
  }
  assert.equal(queue.tenantCount, 0);
});

function begin(queue: FairQueue, task: Waiting, nowMs: number): void {
  queue.remove(task.id);
  queue.began(task, 1, nowMs);
}

function waitingTask(id: string, given: Partial<Waiting> & { readonly gpu?: number }): Waiting {
  const { gpu = 0, ...rest } = given;
  return {
    id,
    key: "k",
    tenant: "t",
    priority: 5,
    resources: gpu > 0 ? { gpu } : {},
    labels: {},
    affinity: [],
    loop: "",
    sinceMs: 0,
    ...rest,
  };
}
