// Real processes under SIGKILL and SIGSTOP: agents, and the dispatcher itself. What ran is told by the
// commands, in a file of their own; what became of it by the event log. The code under test is believed in
// nothing.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/core/kit/random.ts";

const SEED = Number(process.env.EVENER_SEED ?? Math.floor(Math.random() * 1e9));
const TASKS = Number(process.env.TASKS ?? 120);
const TROUBLES = Number(process.env.TROUBLES ?? 14);
const ENDS = new Set(["succeeded", "failed", "worker_lost", "quarantined"]);

interface View {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly idempotent: boolean;
}

interface EventView {
  readonly task: string;
  readonly kind: string;
  readonly fence: number;
}

test(`1 task in 2 may run twice, and whatever is killed none is lost (seed ${SEED})`, async (t) => {
  const random = new Random(SEED);
  const folder = mkdtempSync(join(tmpdir(), "evener-chaos-"));
  const port = 20_000 + random.below(10_000);
  const url = `http://127.0.0.1:${port}`;
  const runs = join(folder, "runs");
  writeFileSync(runs, "");
  writeFileSync(
    join(folder, "evener.yaml"),
    `tasks: { bind: "127.0.0.1:${port}", lease: 3s }\nadmin: off\nthreads: 0\n`,
  );
  const living = new Map<string, ChildProcess>();
  const start = (name: string): void => {
    const agent = ["agent", "--server", url, "--slots", "3", "--name", name, "--state", join(folder, name)];
    const args = ["bin/evener.js", ...(name === "server" ? [join(folder, "evener.yaml")] : agent)];
    living.set(name, spawn(process.execPath, args, { stdio: "ignore" }));
  };
  t.after(() => {
    for (const child of living.values()) child.kill("SIGKILL");
    for (const { pid } of processesOf(runs)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  for (const name of ["server", "a", "b", "c"]) start(name);
  const troubles = makeTrouble(random, living, start);
  for (let i = 0; i < TASKS; i++) await submit(url, i, runs, random);
  await troubles;
  const views = await allEnded(url);
  judge(views, await eventsOf(url), readFileSync(runs, "utf8").trim().split("\n"));
  await sleep(500);
  assert.deepEqual(processesOf(runs), [], "nothing of them runs on");
});

/** Asks again until it is accepted: the key makes that one task. */
async function submit(url: string, i: number, runs: string, random: Random): Promise<void> {
  const ms = 50 + random.below(600);
  const script = `echo "$EVENER_TASK_NAME $EVENER_FENCE" >> ${runs}; sleep ${(ms / 1000).toFixed(3)}; echo done`;
  const task = {
    command: ["sh", "-c", script],
    name: `t${i}`,
    key: "chaos",
    idempotent: i % 2 === 0,
    idempotency_key: `t${i}`,
    lost_after_s: 8,
  };
  await persist(() => call(url, "POST", "/v1/tasks", task));
}

async function makeTrouble(
  random: Random,
  living: ReadonlyMap<string, ChildProcess>,
  start: (name: string) => void,
): Promise<void> {
  for (let i = 0; i < TROUBLES; i++) {
    await sleep(300 + random.below(900));
    const name = ["a", "b", "c", "a", "b", "c", "server"][random.below(7)]!;
    const child = living.get(name)!;
    if (random.below(3) === 0) {
      child.kill("SIGSTOP");
      await sleep(500 + random.below(4_500));
      child.kill("SIGCONT");
      continue;
    }
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    await sleep(random.below(2_000));
    start(name);
  }
}

async function allEnded(url: string): Promise<readonly View[]> {
  for (let i = 0; i < 400; i++) {
    const { tasks } = (await persist(() => call(url, "GET", "/v1/tasks?max=1000"))) as { tasks: View[] };
    if (tasks.length === TASKS && tasks.every(({ state }) => ENDS.has(state))) return tasks;
    await sleep(200);
  }
  const { tasks } = (await call(url, "GET", "/v1/tasks?max=1000")) as { tasks: View[] };
  const open = tasks.filter(({ state }) => !ENDS.has(state));
  throw new assert.AssertionError({
    message: `${tasks.length} tasks; not ended: ${JSON.stringify(open.slice(0, 5))}`,
  });
}

async function eventsOf(url: string): Promise<readonly EventView[]> {
  return ((await call(url, "GET", "/v1/events?max=10000")) as { events: EventView[] }).events;
}

/** A history checker: from the runs that commands wrote down and the log of events, nothing else. */
function judge(views: readonly View[], events: readonly EventView[], runs: readonly string[]): void {
  assert.equal(new Set(views.map(({ name }) => name)).size, TASKS, "each key is one task");
  for (const { id, name, state, idempotent } of views) {
    const mine = events.filter(({ task }) => task === id);
    const ends = mine.filter(({ kind }) => ENDS.has(kind));
    assert.equal(ends.length, 1, `${name} has ${ends.length} ends: ${JSON.stringify(mine)}`);
    const fences = mine.filter(({ kind }) => kind === "leased").map(({ fence }) => fence);
    assert.deepEqual(
      fences,
      [...new Set(fences)].toSorted((a, b) => a - b),
      `${name}: fences grow`,
    );
    const began = runs.filter((run) => run.startsWith(`${name} `));
    assert.equal(
      new Set(began).size,
      began.length,
      `${name} began twice under one fence: ${began.join(", ")}`,
    );
    if (!idempotent) assert.ok(began.length <= 1, `${name} began ${began.length} times`);
    if (state === "succeeded") assert.ok(began.length >= 1, `${name} has succeeded and never begun`);
    if (idempotent) assert.ok(state === "succeeded" || state === "quarantined", `${name} is ${state}`);
    else
      assert.ok(
        state === "succeeded" || state === "worker_lost" || state === "failed",
        `${name} is ${state}`,
      );
  }
}

/** Commands of this test that run. */
function processesOf(runs: string): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const command = readable(`/proc/${pid}/cmdline`);
      return command.startsWith("sh\0-c\0echo") && command.includes(runs)
        ? [{ pid: Number(pid), command }]
        : [];
    });
}

function readable(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function call(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const init =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await fetch(url + path, { method, ...init, signal: AbortSignal.timeout(3_000) });
  const value: unknown = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(value));
  return value;
}

/** The dispatcher may be away, or stand still: whoever asks asks again. */
async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await ask();
    } catch (error) {
      if (i === 200) throw error;
      await sleep(100);
    }
  }
}
