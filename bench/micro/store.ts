// The store of tasks alone: whole lives (submitted, leased, ended: three commits' writes and three events a
// task), each commit durable before the next of the same task, with the way to the store's thread and back.
// `--smoke`: one short round.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskEvent, TaskRecord, TaskState } from "../../src/core/tasks/task.ts";
import type { Write } from "../../src/core/tasks/write.ts";
import { openStore } from "../../src/store/index.ts";
import type { TaskStore } from "../../src/store/store.ts";
import { eventAt, taskOf } from "../../test/fixtures/tasks.ts";

const isSmoke = process.argv.includes("--smoke");
const TASKS = isSmoke ? 2_000 : 30_000;
const REPEATS = isSmoke ? 1 : 2;
/** Tasks of one commit, as arrays come in and as a busy dispatcher groups them. */
const BATCHES: readonly number[] = isSmoke ? [100] : [16, 100, 500];
/** Batches on their way at the same time. */
const LANES = 4;
/** 200 bytes each. */
const PAYLOAD = new Uint8Array(200).fill(7);

const folder = mkdtempSync(join(tmpdir(), "evener-bench-store-"));
try {
  for (const name of ["memory", "sqlite"]) {
    for (const batch of BATCHES) {
      let best = 0;
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        const store = await openStore(`${name}:${join(folder, `${batch}-${repeat}.db`)}`);
        best = Math.max(best, await livesPerSecond(store, batch));
        await store.close();
      }
      process.stdout.write(`${name}, ${batch} tasks a commit: ${Math.round(best)} task lives/s\n`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function livesPerSecond(store: TaskStore, batch: number): Promise<number> {
  const batches = TASKS / batch;
  let begun = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (begun < batches) {
      const from = begun++ * batch;
      const ids = Array.from({ length: batch }, (_, i) => String(from + i).padStart(26, "0"));
      await live(store, ids);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return (begun * batch) / ((performance.now() - began) / 1_000);
}

async function live(store: TaskStore, ids: readonly string[]): Promise<void> {
  const nowMs = Date.now();
  await written(
    store,
    ids.map((id) => submitted(id, nowMs)),
  );
  const leased = {
    state: "leased",
    fence: 1,
    attempt: 1,
    worker: "worker-1",
    boot: "b",
    startedAtMs: nowMs,
  } as const;
  await written(
    store,
    ids.map((id) => changed(id, ["queued"], 0, leased, "leased")),
  );
  const ended = { state: "succeeded", endedAtMs: nowMs } as const;
  await written(
    store,
    ids.map((id) => changed(id, ["leased"], 1, ended, "succeeded")),
  );
}

async function written(store: TaskStore, writes: readonly Write[]): Promise<void> {
  const outcomes = await store.commit(writes);
  if (outcomes.some(({ kind }) => kind !== "done")) throw new Error("a write of the bench was not applied");
}

function submitted(id: string, nowMs: number): Write {
  const task = taskOf(id, {}, { submittedAtMs: nowMs });
  return { do: "submit", task, payload: PAYLOAD, event: eventAt("submitted", nowMs), keyKeptMs: 0 };
}

function changed(
  id: string,
  ifState: readonly TaskState[],
  ifFence: number,
  change: Partial<TaskRecord>,
  kind: TaskEvent["kind"],
): Write {
  return { do: "change", id, ifState, ifFence, ifEpoch: null, change, event: eventAt(kind) };
}
