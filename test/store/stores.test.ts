import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DatabaseSync } from "node:sqlite";
import type { Worker } from "node:worker_threads";
import { openStore } from "../../src/store/index.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { SqliteStore } from "../../src/store/sqlite.ts";
import { taskOf } from "../fixtures/tasks.ts";
import { conforms } from "./conformance.ts";
import { change, submit } from "./conformance-writes.ts";

const folder = mkdtempSync(join(tmpdir(), "evener-store-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(folder, `${count++}.db`);

conforms("memory", () => Promise.resolve(new MemoryStore()));
conforms("sqlite", () => SqliteStore.open(fresh()));

describe("sqlite", () => {
  it("has everything after it was closed and opened again, cursors included", async () => {
    const path = fresh();
    const store = await SqliteStore.open(path);
    await store.commit([
      submit(taskOf("01"), Uint8Array.of(1)),
      change("01", ["queued"], { state: "succeeded", endedAtMs: 1 }),
    ]);
    await store.prune({ endedTasksMax: 0, endedAgeMaxMs: 0, nowMs: 9 });
    await store.close();
    const again = await SqliteStore.open(path);
    assert.equal(await again.task("01"), null);
    assert.deepEqual(await again.commit([submit(taskOf("02"))]), [{ kind: "done", cursor: 3 }]);
    await again.close();
  });

  it("is of one process: a second one is told so", async () => {
    const path = fresh();
    const store = await SqliteStore.open(path);
    await assert.rejects(SqliteStore.open(path), /another process has it open/);
    await store.close();
  });

  it("rejects what is open when its thread dies, and all that comes later", async () => {
    const path = fresh();
    const threads: Worker[] = [];
    const seen = (thread: Worker): void => void threads.push(thread);
    process.on("worker", seen);
    const store = await SqliteStore.open(path);
    process.off("worker", seen);
    await store.commit([submit(taskOf("01"))]);
    const [first, second] = [store.commit([submit(taskOf("02"))]), store.commit([submit(taskOf("03"))])];
    const died = { code: "EVENER_STORE_FAILED" };
    // The first one was on its way: it may have been done.
    const unknown = assert.rejects(first, { code: "EVENER_STORE_UNKNOWN" });
    const rejected = Promise.all([unknown, assert.rejects(second, died)]);
    await threads[0]!.terminate();
    await rejected;
    await assert.rejects(store.task("01"), died);
    await store.close();
    const again = await SqliteStore.open(path);
    assert.equal((await again.task("01"))!.id, "01");
    await again.close();
  });

  it("leaves out of a spec only what it puts back", async () => {
    const store = await SqliteStore.open(fresh());
    const specs = [
      {},
      { retry: { max: 0, backoffS: 1, backoffMaxS: 61 } },
      { affinity: ["a"], labels: { a: "" } },
    ];
    const tasks = specs.map((spec, i) => taskOf(String(i), spec));
    tasks.push(taskOf("9", { priority: 0, tenant: "", lostAfterS: 0, deadlineMs: 0, notBeforeMs: 1 }));
    await store.commit(tasks.map((task) => submit(task)));
    assert.deepEqual((await store.find({ recordsMax: 9 })).toReversed(), tasks);
    await store.close();
  });

  it("says why a file can not be opened", async () => {
    await assert.rejects(SqliteStore.open(join(folder, "no", "such.db")), { code: "EVENER_STORE_FAILED" });
    const path = fresh();
    const newer = new DatabaseSync(path);
    newer.exec("pragma user_version = 99");
    newer.close();
    await assert.rejects(SqliteStore.open(path), /schema is version 99/);
    assert.throws(() => openStore("mysql:x"), { code: "EVENER_BAD_VALUE" });
  });

  it("keeps whole commits, wherever its log was cut", async () => {
    const path = fresh();
    const store = await SqliteStore.open(path);
    // Each commit: two tasks, and the end of those before. Whole means that all of that holds.
    for (let i = 0; i < 6; i++) {
      const ended =
        i === 0 ? [] : pair(i - 1).map((id) => change(id, ["queued"], { state: "succeeded", endedAtMs: i }));
      await store.commit([...pair(i).map((id) => submit(taskOf(id), Buffer.alloc(200))), ...ended]);
    }
    const copy = fresh();
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    await store.close();
    const wal = statSync(`${copy}-wal`).size;
    const seen = new Set<number>();
    let before = 0;
    for (const bytes of cutsOf(wal)) {
      const cut = fresh();
      copyFileSync(copy, cut);
      copyFileSync(`${copy}-wal`, `${cut}-wal`);
      truncateSync(`${cut}-wal`, bytes);
      const commits = commitsIn(cut);
      assert.ok(
        commits >= before,
        `with ${bytes} bytes of the log there are ${commits} commits, with less there were ${before}`,
      );
      before = commits;
      seen.add(commits);
      for (const suffix of ["", "-wal", "-shm"]) rmSync(cut + suffix, { force: true });
    }
    assert.equal(before, 6);
    assert.ok(seen.size > 4, `cuts have shown ${[...seen].join(", ")} commits`);
  });

  it("is not lost with its thread's file: what was acknowledged is in the log", async () => {
    const path = fresh();
    const store = await SqliteStore.open(path);
    for (let i = 0; i < 20; i++) {
      await store.commit([submit(taskOf(String(100 + i)))]);
      // As a power cut would find it, if the disk has what it was told to have.
      const cut = fresh();
      copyFileSync(path, cut);
      if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${cut}-wal`);
      const found = new DatabaseSync(cut);
      assert.equal((found.prepare("select count(*) as n from tasks").get() as { n: number }).n, i + 1);
      found.close();
    }
    assert.ok(readFileSync(path).length > 0);
    await store.close();
  });
});

/** Where a log is cut: around the begins of its frames, and here and there; with EVERY_BYTE=1 everywhere. */
function cutsOf(bytes: number): number[] {
  const all = Array.from({ length: bytes + 1 }, (_, i) => i);
  if (process.env.EVERY_BYTE === "1") return all;
  const frameBytes = 4_096 + 24;
  return all.filter(
    (at) => at === bytes || (at - 32) % frameBytes < 3 || (at - 32) % frameBytes === 24 || at % 997 === 0,
  );
}

function pair(i: number): string[] {
  return [`${i}a`, `${i}b`];
}

/** Commits that a file has; throws where one is there in part. */
function commitsIn(path: string): number {
  const database = new DatabaseSync(path);
  try {
    const hasTasks = database
      .prepare("select count(*) as n from sqlite_master where name = 'tasks'")
      .get() as { n: number };
    if (hasTasks.n === 0) return 0;
    const rows = database.prepare("select id, ended_ms from tasks order by id").all() as {
      id: string;
      ended_ms: number | null;
    }[];
    const commits = rows.length / 2;
    const events = (database.prepare("select count(*) as n from events").get() as { n: number }).n;
    const payloads = (database.prepare("select count(*) as n from asked").get() as { n: number }).n;
    assert.ok(Number.isInteger(commits));
    assert.equal(payloads, rows.length);
    assert.equal(events, commits === 0 ? 0 : rows.length + 2 * (commits - 1));
    for (const { id, ended_ms: endedMs } of rows)
      assert.equal(endedMs !== null, Number(id[0]) < commits - 1, id);
    return commits;
  } finally {
    database.close();
  }
}
