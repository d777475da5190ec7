// Laws of placement: nothing where it can not run, everything at last, and no place idle without a reason.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../src/core/kit/random.ts";
import { Plan } from "../../src/core/tasks/plan.ts";
import { Floor, floorTask, floorWorker, MIXES } from "./task-floor.ts";

const SEEDS = Array.from({ length: 30 }, (_, i) => i + 1);
const KNOWN = { speeds: true, seconds: true };

test("random fleets: nothing infeasible is given, and everything that any worker can run is run", () => {
  for (const seed of SEEDS) {
    const dice = new Random(seed);
    const zones = ["a", "b"];
    const workers = Array.from({ length: 1 + dice.below(6) }, (_, i) =>
      floorWorker(`w${i}`, {
        slots: 1 + dice.below(4),
        slowness: 0.5 + 3 * dice.float(),
        resources: { cpu: 1 + dice.below(8), mem: dice.below(64) * 2 ** 30, gpu: dice.below(3) },
        labels: dice.below(2) === 0 ? {} : { zone: zones[dice.below(2)]! },
        loops: dice.below(2) === 0 ? [] : ["python"],
      }),
    );
    const floor = new Floor(workers, dice.below(2) === 0 ? KNOWN : { speeds: false, seconds: false });
    const plan = new Plan(workers, () => 1, 0);
    let possible = 0;
    for (let i = 0; i < 200; i++) {
      const { seconds, key } = MIXES.lognormal!(dice);
      const task = floorTask(`t${i}`, {
        key,
        tenant: `tenant${dice.below(3)}`,
        priority: dice.below(10),
        resources: {
          cpu: dice.below(40) / 10,
          ...(dice.below(3) === 0 ? { mem: dice.below(32) * 2 ** 30 } : {}),
          ...(dice.below(5) === 0 ? { gpu: 1 } : {}),
        },
        labels: dice.below(4) === 0 ? { zone: zones[dice.below(2)]! } : {},
        loop: dice.below(4) === 0 ? "python" : "",
      });
      // On an empty floor nothing has to wait: what is not placed there can run nowhere.
      if (typeof new Plan(workers, () => 1, 0).place(task, 1, 0) === "string") continue;
      possible++;
      floor.submit(task, seconds);
    }
    assert.ok(plan.freeNow > 0);
    try {
      floor.drain();
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
    assert.equal(floor.starts.length, possible, `seed ${seed}`);
    for (const { used } of workers)
      assert.deepEqual(
        Object.values(used).filter((it) => it > 0),
        [],
      );
  }
});

test("a task that needs a whole worker starts under an endless stream of small ones, when the running ones end", () => {
  for (const seed of SEEDS.slice(0, 5)) {
    const dice = new Random(seed);
    const floor = new Floor([floorWorker("w", { slots: 16, resources: { cpu: 8 } })], KNOWN);
    const submitSmall = (index: number): void => {
      const task = floorTask(`small${index}`, {
        key: `s${index}`,
        resources: { cpu: 1 },
        sinceMs: floor.nowMs,
      });
      floor.submit(task, 0.5 + dice.float());
    };
    let count = 0;
    for (; count < 30; count++) submitSmall(count);
    floor.step();
    floor.submit(floorTask("big", { key: "big", resources: { cpu: 8 }, sinceMs: floor.nowMs }), 5);
    const sinceMs = floor.nowMs;
    for (let i = 0; i < 2_000 && floor.starts.every(({ task }) => task.id !== "big"); i++) {
      // More than the worker can do, always.
      submitSmall(count++);
      submitSmall(count++);
      floor.step();
    }
    const big = floor.starts.find(({ task }) => task.id === "big");
    assert.ok(big !== undefined, `seed ${seed}: it never began`);
    assert.ok(big.fromMs - sinceMs <= 1_500, `seed ${seed}: after ${big.fromMs - sinceMs} ms`);
  }
});

test("a big one of a lower priority than the stream of small ones starts by its age", () => {
  const floor = new Floor([floorWorker("w", { slots: 8, resources: { cpu: 8 } })], KNOWN);
  floor.submit(floorTask("big", { key: "big", priority: 3, resources: { cpu: 8 } }), 5);
  let count = 0;
  while (floor.nowMs < 600_000 && floor.starts.every(({ task }) => task.id !== "big")) {
    while (floor.queue.size < 40) {
      const id = `small${count++}`;
      floor.submit(
        floorTask(id, { key: id, resources: { cpu: 1 }, sinceMs: floor.nowMs }),
        1 + (count % 7) / 7,
      );
    }
    floor.step();
  }
  const big = floor.starts.find(({ task }) => task.id === "big");
  assert.ok(big !== undefined && big.fromMs <= 130_000, `${big?.fromMs}`);
});

test("small ones go before a big one that waits, where they are done by the time it can begin", () => {
  const worker = floorWorker("w", { slots: 4, resources: { cpu: 4 } });
  worker.leases.set("runs", { sinceMs: 0, predictedMs: 10_000, resources: { cpu: 3 } });
  worker.used.cpu = 3;
  const plan = new Plan([worker], () => 1, 0);
  assert.equal(plan.place(floorTask("big", { resources: { cpu: 4 } }), 60_000, 0), "full");
  assert.equal(plan.place(floorTask("long", { resources: { cpu: 1 } }), 11_000, 0), "waits");
  assert.equal(plan.place(floorTask("short", { resources: { cpu: 1 } }), 9_000, 0), worker);
});

test("a place is left free only for a task that ends sooner elsewhere", () => {
  const slow = floorWorker("slow", { slowness: 4 });
  const fast = floorWorker("fast");
  const place = (busyS: number): string => {
    fast.leases.set("runs", { sinceMs: 0, predictedMs: busyS * 1000, resources: {} });
    const placed = new Plan([slow, fast], (name) => (name === "slow" ? 4 : 1), 0).place(
      floorTask("t"),
      1_000,
      0,
    );
    return typeof placed === "string" ? placed : placed.name;
  };
  assert.equal(place(2.5), "waits");
  assert.equal(place(3.5), "slow");
});

test("it waits for no worker for ever: what does not end loses what was reserved on it", () => {
  const slow = floorWorker("slow", { slowness: 4 });
  const fast = floorWorker("fast");
  fast.leases.set("hangs", { sinceMs: 0, predictedMs: 1_000, resources: {} });
  const at = (nowMs: number): string => {
    const speeds = (name: string): number => (name === "slow" ? 4 : 1);
    const placed = new Plan([slow, fast], speeds, nowMs).place(floorTask("t"), 1_000, 0);
    return typeof placed === "string" ? placed : placed.name;
  };
  assert.equal(at(500), "waits");
  assert.equal(at(7_000), "slow");
});

test("what is expected to end at this very moment still has its place", () => {
  const worker = floorWorker("w", { slots: 2, resources: { cpu: 2 } });
  const nowMs = 9_333.333333333332;
  const predictedMs = nowMs - 9_000 + 2e-13;
  worker.leases.set("runs", { sinceMs: 9_000, predictedMs, resources: { cpu: 2 } });
  worker.used.cpu = 2;
  const plan = new Plan([worker], () => 1, nowMs);
  assert.equal(plan.place(floorTask("first", { resources: { cpu: 1 } }), 1_000, 0), "full");
  assert.equal(plan.place(floorTask("second", { resources: { cpu: 1 } }), 1_000, 0), "full");
});

test("a task that only one worker can run begins there, however slow it is", () => {
  const slow = floorWorker("slow", { slowness: 20, labels: { zone: "a" } });
  const plan = new Plan([slow, floorWorker("fast")], (name) => (name === "slow" ? 20 : 1), 0);
  assert.equal(plan.place(floorTask("t", { labels: { zone: "a" } }), 1_000, 0), slow);
});

test("drained, silent and paused workers get nothing", () => {
  const draining = { ...floorWorker("draining"), isDraining: true };
  const silent = { ...floorWorker("silent"), connection: null };
  const paused = { ...floorWorker("paused"), pausedUntilMs: 1_000 };
  const plan = new Plan([draining, silent, paused], () => 1, 0);
  assert.equal(plan.freeNow, 0);
  assert.equal(plan.place(floorTask("t"), 1, 0), "full");
});

test("a warm worker is worth a fifth of the task's time, and no more", () => {
  const warm = { ...floorWorker("warm"), affinities: new Set(["model"]) };
  const cold = floorWorker("cold");
  const task = floorTask("t", { affinity: ["model"] });
  const place = (busyMs: number): string => {
    warm.leases.set("runs", { sinceMs: 0, predictedMs: busyMs, resources: {} });
    const placed = new Plan([cold, warm], () => 1, 0).place(task, 10_000, 0);
    return typeof placed === "string" ? placed : placed.name;
  };
  assert.equal(place(1_000), "waits");
  assert.equal(place(2_500), "cold");
  warm.leases.clear();
  assert.equal(new Plan([cold, warm], () => 1, 0).place(task, 10_000, 0), warm);
});

test("equal workers share: ten tasks on five workers of four slots are two each", () => {
  const workers = Array.from({ length: 5 }, (_, i) => floorWorker(`w${i}`, { slots: 4 }));
  const floor = new Floor(workers, KNOWN);
  for (let i = 0; i < 10; i++) floor.submit(floorTask(`t${i}`, { key: `${i}` }), 10);
  floor.step();
  assert.deepEqual(
    workers.map((it) => floor.starts.filter(({ worker }) => worker === it).length),
    [2, 2, 2, 2, 2],
  );
});

test("ten thousand tasks for a machine that is busy do not keep others idle", () => {
  const gpu = floorWorker("gpu", { slots: 2, resources: { gpu: 1 } });
  const floor = new Floor([gpu, floorWorker("cpu", { slots: 8 })], KNOWN);
  for (let i = 0; i < 10_000; i++) {
    floor.submit(floorTask(`gpu${i}`, { key: `g${i % 400}`, resources: { gpu: 1 } }), 100);
  }
  for (let i = 0; i < 100; i++) floor.submit(floorTask(`cpu${i}`, { key: "cpu" }), 1);
  floor.step();
  assert.equal(floor.starts.filter(({ task }) => task.id.startsWith("cpu")).length, 9);
});

test("a big task that is short is not starved by long small ones, however many tiny ones go in between", () => {
  for (const tenants of [1, 2]) {
    const floor = new Floor([floorWorker("w", { slots: 16, resources: { cpu: 8 } })], KNOWN);
    let count = 0;
    const fill = (): void => {
      while (floor.queue.size < 60) {
        const id = `small${count++}`;
        const seconds = count % 3 === 0 ? 0.01 : 2 + (count % 5) / 3;
        const tenant = `tenant${count % tenants}`;
        floor.submit(
          floorTask(id, { key: id, tenant, resources: { cpu: 1 }, sinceMs: floor.nowMs }),
          seconds,
        );
      }
    };
    fill();
    floor.step();
    floor.submit(floorTask("big", { key: "big", tenant: "tenant0", resources: { cpu: 8 } }), 0.1);
    while (floor.nowMs < 600_000 && floor.starts.every(({ task }) => task.id !== "big")) {
      fill();
      floor.step();
    }
    const big = floor.starts.find(({ task }) => task.id === "big");
    assert.ok(big !== undefined && big.fromMs <= 90_000, `${tenants} tenants: ${big?.fromMs}`);
  }
});
