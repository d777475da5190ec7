// What the engine promises, in virtual time: tasks end, effects come once, nobody starts twice who must not.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../src/core/kit/random.ts";
import { isEnd, type TaskSpec } from "../../src/core/tasks/task.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { type Script, TaskWorld } from "../fixtures/task-world.ts";
import { taskOf } from "../fixtures/tasks.ts";

const quick: Script = () => ({ ms: 100, outcome: "ok" });

function world(script: Script = quick, seed = 1): TaskWorld {
  return new TaskWorld(seed, new MemoryStore(), script);
}

async function stateOf(it: TaskWorld, id: string): Promise<string> {
  return (await it.store.task(id))!.state;
}

async function kinds(it: TaskWorld, id: string): Promise<string[]> {
  return (await it.store.events(0, 100, id)).map(({ kind }) => kind);
}

describe("a task", () => {
  it("is written, leased, run and written again", async () => {
    const it = world();
    it.start("w");
    it.submit(taskOf("a"));
    await it.run(1_000);
    assert.equal(await stateOf(it, "a"), "succeeded");
    assert.deepEqual(await kinds(it, "a"), ["submitted", "leased", "succeeded"]);
    assert.equal(it.agents.get("w")!.unacknowledged.size, 0);
    assert.equal(it.engine.book.size, 0);
  });

  it("is retried as it asks, and fails for good then", async () => {
    const it = world((_, attempt) => ({ ms: 10, outcome: attempt < 2 ? "error" : "ok" }));
    it.start("w", { slots: 2 });
    const retry = { backoffS: 1, backoffMaxS: 2 };
    it.submit(taskOf("twice", { retry: { ...retry, max: 2 } }));
    await it.run(20_000);
    assert.equal(await stateOf(it, "twice"), "succeeded");
    const once = world(() => ({ ms: 10, outcome: "error" }));
    once.start("w");
    once.submit(taskOf("once", { retry: { ...retry, max: 1 } }));
    await once.run(20_000);
    assert.equal(await stateOf(once, "once"), "failed");
    assert.equal(once.runs.length, 2);
  });

  it("that may run again goes on elsewhere when its worker is silent, and its late result is evidence", async () => {
    const it = world(() => ({ ms: 15_000, outcome: "ok" }));
    const first = it.start("a");
    it.submit(taskOf("t", { isIdempotent: true }));
    await it.run(1_000);
    it.disconnect(first);
    it.start("b");
    await it.run(14_000);
    assert.deepEqual(
      it.runs.map(({ worker }) => worker),
      ["a", "b"],
    );
    it.connect(first);
    await it.run(60_000);
    assert.equal(await stateOf(it, "t"), "succeeded");
    assert.equal((await it.store.task("t"))!.fence, 2);
    // The agent is told that its lease is dead, and ends what it ran.
    assert.equal(it.runs[0]!.isWhole, false);
  });

  it("that must not run twice waits for its agent, and its result counts when it is back", async () => {
    const it = world(() => ({ ms: 30_000, outcome: "ok" }));
    const agent = it.start("a");
    it.start("b");
    it.submit(taskOf("t"));
    await it.run(1_000);
    const holder = it.runs[0]!.worker === "a" ? agent : it.agents.get("b")!;
    it.disconnect(holder);
    await it.run(20_000);
    assert.equal(await stateOf(it, "t"), "suspect");
    it.connect(holder);
    await it.run(60_000);
    assert.equal(await stateOf(it, "t"), "succeeded");
    assert.equal(it.runs.length, 1);
    assert.ok((await kinds(it, "t")).includes("reattached"));
  });

  it("that must not run twice ends as lost when its agent was started anew, or never came back", async () => {
    const it = world(() => ({ ms: 30_000, outcome: "ok" }));
    const agent = it.start("a");
    it.submit(taskOf("anew"));
    await it.run(1_000);
    it.kill(agent);
    it.start("a");
    await it.run(2_000);
    assert.equal(await stateOf(it, "anew"), "worker_lost");
    it.submit(taskOf("never", { lostAfterS: 60 }));
    await it.run(4_000);
    it.kill(it.agents.get("a")!);
    await it.run(64_000);
    assert.equal(await stateOf(it, "never"), "suspect");
    await it.run(80_000);
    assert.equal(await stateOf(it, "never"), "worker_lost");
  });

  it("is put aside when three workers were lost with it, and can be redriven", async () => {
    const it = world(() => ({ ms: 5_000, outcome: "ok" }));
    it.submit(taskOf("poison", { isIdempotent: true }));
    for (let i = 0; i < 3; i++) {
      const agent = it.start(`w${i}`);
      await it.run(it.nowMs + 1_000);
      it.kill(agent);
      await it.run(it.nowMs + 12_000);
    }
    assert.equal(await stateOf(it, "poison"), "quarantined");
    it.start("good");
    it.engine.redrive((await it.store.task("poison"))!, () => {});
    await it.run(it.nowMs + 20_000);
    assert.equal(await stateOf(it, "poison"), "succeeded");
  });

  it("is cancelled where it stands: in the queue, or on its worker", async () => {
    const it = world(() => ({ ms: 60_000, outcome: "ok" }));
    it.start("w");
    it.submit(taskOf("runs"));
    await it.run(100);
    it.submit(taskOf("waits"));
    await it.run(200);
    it.engine.cancel("runs", it.nowMs, () => {});
    it.engine.cancel("waits", it.nowMs, () => {});
    await it.run(1_000);
    assert.deepEqual([await stateOf(it, "runs"), await stateOf(it, "waits")], ["cancelled", "cancelled"]);
    assert.equal(it.runs.length, 1);
  });

  it("waits for its time, and expires when it could not begin", async () => {
    const it = world();
    it.start("w");
    it.submit(taskOf("later", {}, { state: "delayed", readyAtMs: 5_000 }));
    it.submit(taskOf("never", { labels: { gpu: "h100" }, deadlineMs: 3_000 }));
    await it.run(4_000);
    assert.deepEqual([await stateOf(it, "later"), await stateOf(it, "never")], ["delayed", "expired"]);
    await it.run(6_000);
    assert.equal(await stateOf(it, "later"), "succeeded");
  });

  it("waits for its parents: it is blocked, skipped or run when one fails", async () => {
    const it = world((task) => ({ ms: 10, outcome: task === "bad" ? "error" : "ok" }));
    it.start("w");
    const child = (id: string, dependsOn: string[], spec: Partial<TaskSpec> = {}): void => {
      it.submit(taskOf(id, { dependsOn, ...spec }, { state: "blocked" }));
    };
    child("both", ["good", "more"]);
    child("blocked", ["good", "bad"]);
    child("skipped", ["bad"], { onParentFailure: "skip" });
    child("after", ["skipped"], { onParentFailure: "skip" });
    child("anyway", ["bad"], { onParentFailure: "run" });
    for (const id of ["good", "more", "bad"]) it.submit(taskOf(id));
    await it.run(5_000);
    const states = await Promise.all(
      ["both", "blocked", "skipped", "after", "anyway"].map((id) => stateOf(it, id)),
    );
    assert.deepEqual(states, ["succeeded", "blocked", "skipped", "skipped", "succeeded"]);
    it.engine.redrive({ ...(await it.store.task("bad"))!, spec: taskOf("bad").spec }, () => {});
    await it.run(6_000);
  });

  it("does not run out while the dispatcher is away", async () => {
    const it = world(() => ({ ms: 20_000, outcome: "ok" }));
    it.start("a");
    it.submit(taskOf("t"));
    await it.run(1_000);
    await it.restart(60_000);
    await it.run(it.nowMs + 30_000);
    assert.equal(await stateOf(it, "t"), "succeeded");
    assert.equal(it.runs.length, 1);
  });

  it("whose worker is far slower than usual gets a copy, and the first to end counts", async () => {
    const it = world(() => ({ ms: 1_000, outcome: "ok" }));
    it.start("a");
    for (let i = 0; i < 30; i++) it.submit(taskOf(`warm${String(i).padStart(2, "0")}`, { key: "k" }));
    await it.run(60_000);
    it.kill(it.agents.get("a")!);
    it.start("slow", { slowness: 60 });
    it.submit(taskOf("t", { key: "k", isIdempotent: true, speculateAfter: 2 }));
    await it.run(it.nowMs + 500);
    it.start("fresh");
    await it.run(it.nowMs + 10_000);
    assert.equal(await stateOf(it, "t"), "succeeded");
    const runs = it.runs.filter(({ task }) => task === "t");
    assert.deepEqual(
      runs.map(({ worker, isWhole }) => `${worker} ${isWhole}`),
      ["slow false", "fresh true"],
    );
    assert.equal(it.agents.get("slow")!.running.size, 0);
  });

  it("is not lost when the store has no room for its end: it is written when there is", async () => {
    const it = world();
    it.start("w");
    it.submit(taskOf("t"));
    await it.run(50);
    it.isStoreDown = true;
    await it.run(5_000);
    assert.equal(await stateOf(it, "t"), "leased");
    it.isStoreDown = false;
    await it.run(8_000);
    assert.equal(await stateOf(it, "t"), "succeeded");
  });
});

describe("chaos", () => {
  const seeds = Number(process.env.SEEDS ?? 60);
  for (let seed = 1; seed <= seeds; seed++) {
    it(`ends every task as it may, seed ${seed}`, async () => {
      const random = new Random(seed);
      const script: Script = (task) => ({
        ms: 50 + ((task.charCodeAt(3) * 97) % 5_000),
        outcome: task.endsWith("9") ? "error" : "ok",
      });
      const it = new TaskWorld(seed, new MemoryStore(), script);
      for (let i = 0; i < 4; i++) it.start(`w${i}`, { slots: 1 + (i % 3) });
      for (let i = 0; i < 60; i++) {
        const id = `t${String(i).padStart(3, "0")}`;
        const isIdempotent = i % 2 === 0;
        it.at(random.below(20_000), () =>
          it.submit(
            taskOf(id, { isIdempotent, lostAfterS: 30, speculateAfter: i % 4 === 0 ? 3 : null, key: "k" }),
          ),
        );
      }
      for (let i = 0; i < 25; i++) it.at(random.below(40_000), () => trouble(it, random));
      await it.run(20_000);
      if (seed % 3 === 0) await it.restart(random.below(30_000));
      await it.run(it.nowMs + 50_000);
      // All is well again.
      it.isStoreDown = false;
      for (const agent of it.agents.values()) {
        if (!agent.isAlive) it.start(agent.name);
        else if (agent.connection === null) it.connect(agent);
      }
      await it.run(it.nowMs + 200_000, () => it.engine.book.size === 0);
      await it.run(it.nowMs + 2_000);
      await judge(it, seed);
    });
  }
});

function trouble(it: TaskWorld, random: Random): void {
  const agents = [...it.agents.values()];
  const agent = agents[random.below(agents.length)]!;
  switch (random.below(5)) {
    case 0:
      it.kill(agent);
      it.at(it.nowMs + random.below(15_000), () => agent.isAlive || it.start(agent.name));
      return;
    case 1:
    case 2:
      it.disconnect(agent);
      it.at(it.nowMs + random.below(20_000), () => agent.connection ?? it.connect(agent));
      return;
    case 3:
      it.isStoreDown = true;
      it.at(it.nowMs + random.below(3_000), () => (it.isStoreDown = false));
      return;
    default:
      it.storeMs = random.below(200);
  }
}

async function judge(it: TaskWorld, seed: number): Promise<void> {
  const records = await it.records();
  const open = records.filter(({ state }) => !isEnd(state)).map(({ id, state }) => `${id} ${state}`);
  assert.deepEqual(open, [], `seed ${seed}: not ended`);
  assert.equal(records.length, 60);
  for (const { id, state, spec } of records) {
    const events = await it.store.events(0, 1_000, id);
    const ends = events.filter(({ kind }) => kind === "succeeded");
    assert.ok(ends.length <= 1, `seed ${seed}: ${id} succeeded ${ends.length} times`);
    const starts = it.runs.filter(({ task }) => task === id);
    if (!spec.isIdempotent)
      assert.ok(starts.length <= 1, `seed ${seed}: ${id} started ${starts.length} times`);
    if (state === "succeeded")
      assert.ok(
        starts.some(({ isWhole }) => isWhole),
        `seed ${seed}: ${id} never ran`,
      );
    if (spec.isIdempotent && !id.endsWith("9")) {
      assert.ok(state === "succeeded" || state === "quarantined", `seed ${seed}: ${id} is ${state}`);
    }
  }
  for (const { name, worker, running, unacknowledged } of it.agents.values()) {
    assert.equal(running.size, 0, `seed ${seed}: ${name} still runs something`);
    assert.equal(unacknowledged.size, 0, `seed ${seed}: ${name} keeps results`);
    assert.deepEqual([worker!.leases.size, worker!.used], [0, {}], `seed ${seed}: ${name} has leases`);
  }
}
