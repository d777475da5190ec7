// Nothing is acknowledged before it is durable, and what is acknowledged stays: by the order of system calls,
// by kill -9, and on a disk that is full.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../../src/core/kit/random.ts";
import { SqliteStore } from "../../../src/store/sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "evener-sqlite-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const COMMITTER = fileURLToPath(new URL("committer.ts", import.meta.url));

/** A committer, what it has said so far, and its end. */
function start(path: string, lanes: number, wrap: readonly string[] = []): Committer {
  const [program, ...args] = [...wrap, process.execPath, COMMITTER, path, String(lanes)];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const committer = {
    child,
    text: "",
    complaints: "",
    ended: new Promise<void>((r) => child.on("close", () => r())),
  };
  child.stdout.on("data", (bytes: Buffer) => (committer.text += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (committer.complaints += bytes.toString()));
  return committer;
}

interface Committer {
  readonly child: ChildProcess;
  text: string;
  complaints: string;
  readonly ended: Promise<void>;
}

async function until(committer: Committer, holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > untilMs || committer.child.exitCode !== null)
      assert.fail(`the committer said ${committer.text.slice(-500)} ${committer.complaints}`);
    await sleep(5);
  }
}

/** Whole lines only: the last one may have been cut. */
function acknowledged(text: string): Map<string, number> {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return new Map(
    lines.flatMap((line) => {
      const [word, id, cursor] = line.split(" ");
      return word === "ok" ? [[id!, Number(cursor)]] : [];
    }),
  );
}

/** All acknowledged are there as they were told, every commit is whole, cursors have no gap. */
async function check(path: string, told: ReadonlyMap<string, number>): Promise<void> {
  const store = await SqliteStore.open(path);
  try {
    const last = await store.lastCursor();
    const events = await store.events(0, last + 1);
    assert.deepEqual(
      events.map(({ cursor }) => cursor),
      events.map((_, i) => i + 1),
    );
    for (const [id, cursor] of told) assert.equal(events[cursor - 1]?.taskId, id, `${id} at ${cursor}`);
    const tasks = await store.unfinished(null, last + 1);
    assert.equal(tasks.length * 2, last);
    assert.ok(tasks.every(({ state, fence }) => state === "leased" && fence === 1));
  } finally {
    await store.close();
  }
}

describe("sqlite: durable before told", () => {
  it("each acknowledgement follows a sync of the log that has returned", async () => {
    const path = join(folder, "traced.db");
    const trace = join(folder, "trace");
    const calls = "trace=openat,write,pwrite64,fsync,fdatasync";
    const strace = ["strace", "-f", "-y", "-s", "60", "-e", calls, "-o", trace];
    const committer = start(path, 1, strace);
    await until(committer, () => acknowledged(committer.text).size >= 30);
    // strace ends by SIGTERM, and leaves the committer to its own end.
    const [pid] = readFileSync(
      `/proc/${committer.child.pid}/task/${committer.child.pid}/children`,
      "utf8",
    ).split(" ");
    process.kill(Number(pid), "SIGKILL");
    await committer.ended;
    assert.ok(checkOrder(readFileSync(trace, "utf8"), "traced.db-wal") >= 30);
  });

  it("SIGKILL at any time: what was acknowledged is there, every commit is whole", async () => {
    const random = new Random(11);
    const path = join(folder, "killed.db");
    const told = new Map<string, number>();
    for (let round = 0; round < 12; round++) {
      const committer = start(path, 8);
      await until(committer, () => committer.text.startsWith("begun\n"));
      await sleep(random.float() * 250);
      committer.child.kill("SIGKILL");
      await committer.ended;
      for (const [id, cursor] of acknowledged(committer.text)) told.set(id, cursor);
      await check(path, told);
    }
    assert.ok(told.size > 100, `${told.size} were acknowledged`);
  });

  it("is of one process: another one is told so", async () => {
    const path = join(folder, "locked.db");
    const committer = start(path, 1);
    await until(committer, () => committer.text.startsWith("begun\n"));
    await assert.rejects(SqliteStore.open(path), /another process has it open/);
    committer.child.kill("SIGKILL");
    await committer.ended;
    await (await SqliteStore.open(path)).close();
  });

  it("a full disk refuses and loses nothing; with room again it goes on", async () => {
    const disk = mkdtempSync(join(folder, "disk-"));
    const path = join(disk, "full.db");
    // A namespace of its own has the small disk; files beside it say how to go on.
    const [room, end] = [join(folder, "make-room"), join(folder, "end")];
    const script = `set -e
      mount -t tmpfs -o size=6m none ${disk}
      head -c 3m /dev/zero >${disk}/ballast
      "$@" & pid=$!
      while [ ! -e ${room} ]; do sleep 0.05; done; rm ${disk}/ballast
      while [ ! -e ${end} ]; do sleep 0.05; done; kill -9 $pid; wait $pid || true
      cp ${path} ${path}-wal ${folder}`;
    const shell = ["timeout", "-s", "KILL", "100", "unshare", "--mount", "sh", "-c", script, "sh"];
    const committer = start(path, 4, shell);
    await until(committer, () => (committer.text.match(/refused/g) ?? []).length > 40);
    const before = acknowledged(committer.text).size;
    assert.ok(before > 50);
    writeFileSync(room, "");
    await until(committer, () => acknowledged(committer.text).size > before + 100);
    writeFileSync(end, "");
    await committer.ended;
    const codes = new Set([...committer.text.matchAll(/refused \S+ (\S+)/g)].map(([, code]) => code));
    assert.deepEqual([...codes], ["EVENER_STORE_FULL"]);
    await check(join(folder, "full.db"), acknowledged(committer.text));
  });
});

/**
 * How many acknowledgements a trace has. Throws where one was written while something of the log was not on
 * the disk yet, or without a sync since the one before.
 */
function checkOrder(trace: string, log: string): number {
  const syncing = new Set<string>();
  let acknowledgements = 0;
  let isDirty = false;
  let syncs = 0;
  for (const line of trace.split("\n")) {
    const [, pid, call] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (pid === undefined || call === undefined) continue;
    const isOfLog = call.includes(`${log}>`);
    if (isOfLog && /^p?write/.test(call)) isDirty = true;
    else if (isOfLog && /^f(?:data)?sync.*unfinished/.test(call)) syncing.add(pid);
    else if (/sync.*= 0$/.test(call) && (isOfLog || syncing.delete(pid))) {
      isDirty = false;
      syncs++;
    } else if (/^write\(1<.*"ok /.test(call)) {
      assert.ok(!isDirty && syncs > 0, `told before it was durable: ${line}`);
      acknowledgements++;
      syncs = 0;
    }
  }
  return acknowledgements;
}
