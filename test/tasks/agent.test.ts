// The dispatcher and real agents over real sockets, with real processes.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Json, taskScene, type TaskScene } from "../fixtures/task-scene.ts";
import { until } from "../fixtures/until.ts";

/** A pickled call of a function of Python's own library. */
function call(module: string, name: string, ...args: readonly (number | string)[]): string {
  const opcodes = args.map((arg) => (typeof arg === "number" ? `F${arg}\n` : `V${arg}\n`)).join("");
  // Protocol 0: (function, args, kwargs) as a tuple.
  return Buffer.from(`(c${module}\n${name}\n(${opcodes}t(dt.`, "latin1").toString("base64");
}

describe("tasks on agents", () => {
  it("run commands: output, exit code, environment, input", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const script = 'cat; echo "$X $EVENER_ATTEMPT" >&2; exit 3';
    const id = await it.submit({
      command: ["sh", "-c", script],
      env: { X: "hello" },
      payload: Buffer.from("in\n").toString("base64"),
    });
    const task = await it.ended(id);
    assert.deepEqual([task.state, task.exit_code, task.reason], ["failed", 3, "exit code 3"]);
    const { text } = await it.ask("GET", `/v1/tasks/${id}/result`);
    assert.deepEqual(text.split("\n").toSorted(), ["", "hello 1", "in"]);
    const good = await it.submit({ command: ["true"] });
    assert.equal((await it.ended(good)).state, "succeeded");
    const none = await it.submit({ command: ["/no/such/program"] });
    assert.equal((await it.ended(none)).state, "failed");
  });

  it("run Python in warm loops, results and exceptions come back", async (t) => {
    const it = await taskScene(t);
    process.env.PYTHONPATH = join(process.cwd(), "python");
    it.agent({ slots: 1 });
    const pids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const id = await it.submit({ loop: "python", payload: call("os", "getpid") });
      assert.equal((await it.ended(id)).state, "succeeded");
      pids.add((await it.ask("GET", `/v1/tasks/${id}/result`)).text);
    }
    assert.equal(pids.size, 1, "one process for all");
    const bad = await it.submit({ loop: "python", payload: call("operator", "truediv", 1, 0) });
    const failed = await it.ended(bad);
    assert.deepEqual([failed.state, failed.reason], ["failed", "it raised an exception"]);
    assert.match((await it.ask("GET", `/v1/tasks/${bad}/result`)).text, /ZeroDivisionError/);
    // Its death is one task's, and nobody else's.
    const dead = await it.submit({ loop: "python", payload: call("os", "abort") });
    assert.match(String((await it.ended(dead)).reason), /SIGABRT/);
    const after = await it.submit({ loop: "python", payload: call("os", "getpid") });
    assert.equal((await it.ended(after)).state, "succeeded");
  });

  it("are cancelled with all that they have started", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const file = join(it.folder, "pids");
    const id = await it.submit({ command: ["sh", "-c", `sleep 100 & echo $! > ${file}; wait`] });
    await until(() => readable(file) !== "", "the grandchild");
    const { status } = await it.ask("DELETE", `/v1/tasks/${id}`);
    assert.equal(status, 202);
    assert.equal((await it.ended(id)).state, "cancelled");
    await until(() => !isAlive(Number(readable(file))), "the grandchild's end");
  });

  it("end when they run for too long", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const id = await it.submit({ command: ["sleep", "100"], run_time_max_s: 0.2 });
    assert.match(String((await it.ended(id)).reason), /longer than 0.2 s/);
  });

  it("go on while the dispatcher is away, and their results count when it is back", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const file = join(it.folder, "runs");
    const id = await it.submit({ command: ["sh", "-c", `echo run >> ${file}; sleep 1; echo done`] });
    await until(() => readable(file) !== "", "its begin");
    await it.restart();
    assert.equal((await it.ended(id)).state, "succeeded");
    assert.equal(readable(file), "run\n");
    assert.equal((await it.ask("GET", `/v1/tasks/${id}/result`)).text, "done\n");
  });

  it("write a log that can be followed", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const id = await it.submit({ command: ["sh", "-c", "echo one; sleep 0.3; echo two"] });
    const response = await fetch(`${it.url()}/v1/tasks/${id}/log`, {
      headers: { accept: "text/event-stream" },
    });
    const text = await response.text();
    assert.match(text, /"text":"one\\n".*"text":"two\\n".*event: end/s);
  });

  it("are told as events, to whoever waits for them", async (t) => {
    const it = await taskScene(t);
    it.agent();
    const waiting = it.ask("GET", "/v1/events?cursor=0&wait_s=10");
    const id = await it.submit({ noop: true, external_id: "mine" });
    const { json } = await waiting;
    assert.equal((json.events as Json[])[0]!.task, id);
    await it.ended(id);
    const events = (await it.ask("GET", `/v1/events?task=${id}`)).json.events as Json[];
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["submitted", "leased", "succeeded"],
    );
    const found = (await it.ask("GET", "/v1/tasks?external_id=mine")).json.tasks as Json[];
    assert.equal(found[0]!.id, id);
  });

  it("of 2,000 none is lost, in batches, and all is at rest then", async (t) => {
    const it = await taskScene(t);
    it.agent({ slots: 32 });
    it.agent({ slots: 32 });
    const { leases } = it.tasks.dispatcher.engine;
    await until(() => [...leases.workers()].length === 2, "both agents");
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const { json } = await it.ask(
        "POST",
        "/v1/tasks",
        Array.from({ length: 100 }, () => ({ noop: true })),
      );
      for (const { id } of json.tasks as { id: string }[]) ids.push(id);
    }
    await until(() => it.tasks.dispatcher.engine.book.size === 0, "all to end");
    const events = await it.tasks.dispatcher.store.events(0, 100_000);
    assert.equal(events.filter(({ kind }) => kind === "succeeded").length, 2_000);
    assert.equal(new Set(ids).size, 2_000);
    const { workers } = (await it.ask("GET", "/v1/workers")).json as { workers: Json[] };
    assert.deepEqual(
      workers.map(({ free_slots: free }) => free),
      [32, 32],
    );
  });

  it("are refused with what is wrong with them", async (t) => {
    const it = await taskScene(t, { openTasksMax: 2, payloadBytesMax: 10 });
    const cases: [unknown, number, RegExp][] = [
      [{}, 400, /exactly one/],
      [{ noop: true, comand: [] }, 400, /comand/],
      [{ noop: true, priority: 10 }, 400, /priority/],
      [[{ noop: true }, { noop: true, payload: "%%" }], 400, /task 1: payload/],
      [{ noop: true, payload: "A".repeat(40) }, 413, /payload_max/],
      [{ noop: true, depends_on: ["nope"] }, 400, /no task ..nope/],
      [{ noop: true, speculate_after: 2 }, 400, /idempotent/],
    ];
    for (const [body, status, text] of cases) {
      const answer = await it.ask("POST", "/v1/tasks", body);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, text);
    }
    assert.equal((await it.ask("GET", "/v1/tasks/none")).status, 404);
    assert.equal((await it.ask("GET", "/v1/agent")).status, 400);
    assert.equal((await it.ask("GET", "/v1/openapi.json")).json.openapi, "3.1.0");
    await it.submit({ noop: true });
    const last = await it.submit({ noop: true });
    const full = await it.ask("POST", "/v1/tasks", { noop: true });
    assert.deepEqual([full.status, (full.json.error as Json).code], [429, "EVENER_TASK_BACKLOG"]);
    const why = (await it.ask("GET", `/v1/tasks/${last}/why`)).json;
    assert.equal(why.reason, "no worker can take it now");
  });
});

describe("an agent", () => {
  const program = (it: TaskScene, name: string): ChildProcess => {
    const args = [
      "bin/evener.js",
      "agent",
      "--server",
      it.url(),
      "--name",
      name,
      "--state",
      join(it.folder, name),
    ];
    return spawn(process.execPath, args, { stdio: "ignore" });
  };

  it("that is killed leaves nothing running, once it is started anew", async (t) => {
    const it = await taskScene(t);
    const agent = program(it, "k");
    t.after(() => agent.kill("SIGKILL"));
    const file = join(it.folder, "pids");
    const id = await it.submit({ command: ["sh", "-c", `sleep 100 & echo $! $$ > ${file}; wait`] });
    await until(() => readable(file) !== "", "its process");
    const [grandchild, child] = readable(file).trim().split(" ").map(Number);
    agent.kill("SIGKILL");
    await until(() => !isAlive(child!), "the command to die with its agent");
    const again = program(it, "k");
    t.after(() => again.kill("SIGKILL"));
    assert.equal((await it.ended(id)).state, "worker_lost");
    await until(() => !isAlive(grandchild!), "what the command had started to be reaped");
  });

  it("sees a command that was stopped, and it is moved where it may", async (t) => {
    const it = await taskScene(t);
    it.agent({ slots: 2 });
    const file = join(it.folder, "pids");
    const script = `echo $$ >> ${file}; [ $(wc -l < ${file}) -gt 1 ] || sleep 100`;
    const id = await it.submit({ command: ["sh", "-c", script], idempotent: true });
    await until(() => readable(file) !== "", "its process");
    process.kill(Number(readable(file).trim()), "SIGSTOP");
    const task = await it.ended(id);
    assert.deepEqual([task.state, task.workers_lost], ["succeeded", 1]);
  });

  it("drains on SIGTERM: what runs ends well, nothing new begins", async (t) => {
    const it = await taskScene(t);
    const agent = program(it, "d");
    const file = join(it.folder, "began");
    const id = await it.submit({ command: ["sh", "-c", `echo x > ${file}; sleep 1; echo whole`] });
    await until(() => readable(file) !== "", "its begin");
    const ended = new Promise((resolve) => agent.once("exit", resolve));
    agent.kill("SIGTERM");
    const later = await it.submit({ noop: true });
    assert.equal(await ended, 0);
    assert.equal((await it.ended(id)).state, "succeeded");
    assert.equal((await it.ask("GET", `/v1/tasks/${later}`)).json.state, "queued");
  });
});

function readable(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readable(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
