// How well tasks are spread, in virtual time: makespan, speeds that are learned, shares of tenants.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../src/core/kit/random.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { TaskWorld } from "../fixtures/task-world.ts";
import { taskOf } from "../fixtures/tasks.ts";

interface Job {
  readonly id: string;
  readonly key: string;
  readonly ms: number;
}

/** Ten kinds of tasks, each of its own length with some spread. */
function jobs(count: number, random: Random, spread: number, prefix = "t"): Job[] {
  return Array.from({ length: count }, (_, i) => {
    const kind = random.below(10);
    const ms = 200 * 2 ** (kind / 2) * (1 + spread * (random.float() - 0.5));
    return { id: `${prefix}${String(i).padStart(5, "0")}`, key: `kind ${kind}`, ms: Math.round(ms) };
  });
}

/** Runs them all; returns how long it took from the first submission. */
async function makespan(
  slowness: readonly number[],
  warm: readonly Job[],
  timed: readonly Job[],
): Promise<number> {
  const times = new Map([...warm, ...timed].map(({ id, ms }) => [id, ms]));
  const it = new TaskWorld(1, new MemoryStore(), (id) => ({ ms: times.get(id)!, outcome: "ok" }));
  it.storeMs = 0;
  slowness.forEach((factor, i) => it.start(`w${i}`, { slowness: factor }));
  const runAll = async (list: readonly Job[]): Promise<void> => {
    for (const { id, key } of list) it.submit(taskOf(id, { key }));
    await it.run(
      it.nowMs + 1e9,
      () =>
        it.nowMs > 0 &&
        it.engine.book.size === 0 &&
        it.runs.length >= times.size - (list === warm ? timed.length : 0),
    );
  };
  await runAll(warm);
  const fromMs = it.nowMs;
  await runAll(timed);
  return Math.max(...it.runs.map(({ toMs }) => toMs)) - fromMs;
}

/** No schedule is shorter: all machines busy all the time, or the longest task on the fastest one. */
function lowerBound(slowness: readonly number[], timed: readonly Job[]): number {
  const speed = slowness.reduce((sum, factor) => sum + 1 / factor, 0);
  const work = timed.reduce((sum, { ms }) => sum + ms, 0);
  return Math.max(work / speed, Math.max(...timed.map(({ ms }) => ms)) * Math.min(...slowness));
}

/** Longest first on equal machines, knowing all lengths (Graham, 1969). */
function longestFirst(machines: number, timed: readonly Job[]): number {
  const ends = Array.from({ length: machines }, () => 0);
  for (const { ms } of timed.toSorted((a, b) => b.ms - a.ms)) ends[ends.indexOf(Math.min(...ends))]! += ms;
  return Math.max(...ends);
}

describe("the makespan of mixed tasks", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`on equal workers is within 5 % of longest first, seed ${seed}`, async () => {
      const random = new Random(seed);
      const [warm, timed] = [jobs(100, random, 0.2, "w"), jobs(300, random, 0.2)];
      const ratio = (await makespan([1, 1, 1, 1], warm, timed)) / longestFirst(4, timed);
      assert.ok(ratio <= 1.05, `${ratio.toFixed(3)} times`);
    });

    it(`with a worker that is four times slower is within 10 % of the ideal, seed ${seed}`, async () => {
      const random = new Random(seed);
      const slowness = [1, 1, 1, 4];
      const [warm, timed] = [jobs(150, random, 0.2, "w"), jobs(300, random, 0.2)];
      const ratio = (await makespan(slowness, warm, timed)) / lowerBound(slowness, timed);
      assert.ok(ratio <= 1.1, `${ratio.toFixed(3)} times`);
    });
  }
});

describe("tenants", () => {
  it("get their shares although one floods the queue, by what their tasks cost", async () => {
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const msOf = (id: string): number => (id.startsWith("short") ? 100 : 400);
      const it = new TaskWorld(seed, new MemoryStore(), (id) => ({ ms: msOf(id), outcome: "ok" }));
      for (let i = 0; i < 4; i++) it.start(`w${i}`, { slots: 2 });
      const submit = (tenant: string, kind: string, count: number): void => {
        for (let i = 0; i < count; i++) it.submit(taskOf(`${kind}-${tenant}-${i}`, { tenant, key: kind }));
      };
      submit("flood", "long", 3_000);
      for (const tenant of ["a", "b", "c"]) submit(tenant, random.below(2) === 0 ? "short" : "long", 1_000);
      await it.run(30_000);
      const from = it.runs.filter(({ fromMs }) => fromMs > 3_000);
      const seconds = ["flood", "a", "b", "c"].map((tenant) =>
        from
          .filter(({ task }) => task.split("-")[1] === tenant)
          .reduce((sum, { task }) => sum + msOf(task), 0),
      );
      const sum = seconds.reduce((a, b) => a + b, 0);
      const jain = sum ** 2 / (seconds.length * seconds.reduce((a, b) => a + b ** 2, 0));
      assert.ok(jain >= 0.98, `seed ${seed}: Jain ${jain.toFixed(3)} of ${seconds.join(", ")}`);
    }
  });

  it("with limits: no more at once, no faster than their buckets", async () => {
    const rule = { weight: 1, runningMax: 2, startsPerSecond: 5, startsBurst: 5 };
    const it = new TaskWorld(
      1,
      new MemoryStore(),
      () => ({ ms: 50, outcome: "ok" }),
      () => rule,
    );
    it.start("w", { slots: 8 });
    for (let i = 0; i < 100; i++) it.submit(taskOf(`t-${i}`));
    await it.run(10_000);
    assert.ok(it.runs.length >= 45 && it.runs.length <= 56, `${it.runs.length} began in 10 s`);
    for (const { fromMs } of it.runs) {
      const at = it.runs.filter((run) => run.fromMs <= fromMs && (run.toMs < 0 || run.toMs > fromMs)).length;
      assert.ok(at <= 2, `${at} at once`);
    }
  });
});

describe("priorities", () => {
  it("go first, and the lowest does not starve", async () => {
    const it = new TaskWorld(1, new MemoryStore(), () => ({ ms: 1_000, outcome: "ok" }));
    it.start("w");
    it.submit(taskOf("first", { priority: 9 }));
    await it.run(10);
    it.submit(taskOf("low", { priority: 0 }));
    let n = 0;
    const feed = (): void => {
      it.submit(taskOf(`high${n++}`, { priority: 4 }));
      if (n < 600) it.at(it.nowMs + 900, feed);
    };
    feed();
    await it.run(700_000);
    const at = it.runs.findIndex(({ task }) => task === "low");
    assert.ok(at > 100, `it was number ${at}`);
    assert.ok(it.runs[at]!.fromMs < 420_000, `it began after ${it.runs[at]!.fromMs / 1000} s`);
  });
});

describe("what tasks ask for", () => {
  it("is there: labels, slots and resources hold at any time", async () => {
    const random = new Random(7);
    const it = new TaskWorld(7, new MemoryStore(), (id) => ({
      ms: 100 + ((id.length * 37) % 400),
      outcome: "ok",
    }));
    it.start("gpu", { slots: 4, resources: { gpu: 2, cpu: 8 }, labels: { zone: "a" } });
    it.start("cpu", { slots: 8, resources: { cpu: 8 }, labels: { zone: "b" } });
    const wants = new Map<string, Record<string, number>>();
    for (let i = 0; i < 200; i++) {
      const id = `t${i}`;
      const resources: Record<string, number> = {
        cpu: 1 + random.below(4),
        ...(random.below(3) === 0 && { gpu: 1 }),
      };
      wants.set(id, resources);
      it.submit(taskOf(id, { resources, labels: random.below(5) === 0 ? { zone: "a" } : {} }));
    }
    await it.run(600_000, () => it.runs.length === 200 && it.engine.book.size === 0);
    assert.equal((await it.records()).filter(({ state }) => state === "succeeded").length, 200);
    const has: Record<string, Record<string, number>> = {
      gpu: { gpu: 2, cpu: 8, slots: 4 },
      cpu: { cpu: 8, gpu: 0, slots: 8 },
    };
    for (const { fromMs, worker } of it.runs) {
      const beside = it.runs.filter(
        (run) => run.worker === worker && run.fromMs <= fromMs && run.toMs > fromMs,
      );
      assert.ok(beside.length <= has[worker]!.slots!);
      for (const name of ["cpu", "gpu"]) {
        const used = beside.reduce((sum, { task }) => sum + (wants.get(task)![name] ?? 0), 0);
        assert.ok(used <= has[worker]![name]!, `${used} ${name} at once on ${worker}`);
      }
    }
  });
});
