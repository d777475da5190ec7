import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { until } from "../fixtures/until.ts";

/** Evener as a process on a file, its log as values. */
class Served {
  readonly #file: string;
  readonly #child: ChildProcess;
  #text = "";

  constructor(t: TestContext, config: string) {
    const folder = mkdtempSync(join(tmpdir(), "evener-reload-"));
    this.#file = join(folder, "evener.yaml");
    writeFileSync(this.#file, config);
    const env = { ...process.env, EVENER_STATE_DIR: folder };
    this.#child = spawn(process.execPath, ["bin/evener.js", this.#file], { env });
    this.#child.stderr!.setEncoding("utf8").on("data", (part: string) => (this.#text += part));
    t.after(() => {
      this.#child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** The lines with that message, in order. */
  lines(message: string): Record<string, unknown>[] {
    const whole = this.#text.split("\n").slice(0, -1);
    const lines = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
    return lines.filter(({ msg }) => msg === message);
  }

  async wait(message: string, count: number): Promise<Record<string, unknown>> {
    await until(
      () => this.lines(message).length >= count,
      () => `${count} times "${message}" in:\n${this.#text}`,
    );
    return this.lines(message)[count - 1]!;
  }

  /** Saves the file, and waits until the log tells of exactly this change. One save may be noticed twice. */
  async save(config: string, change: string): Promise<void> {
    writeFileSync(this.#file, config);
    await until(
      () => this.lines("configuration reloaded").some((line) => line.change === change),
      () => `the change "${change}" in:\n${this.#text}`,
    );
  }
}

test("a reload says everything that changed, applies what it can and warns of the rest", async (t) => {
  const base = 'listen: "127.0.0.1:0"\nbackends: [http://127.0.0.1:9]\naccess_log: off\n';
  const admin = 'admin: { bind: "127.0.0.1:0" }\n';
  const evener = new Served(t, `${base}${admin}`);
  const { url } = await evener.wait("status page", 1);
  const needs = "these need a restart; what runs goes on as before";

  await evener.save(
    `${base}admin: off\nlimits: { body_bytes: 5 }\n`,
    "limits body_bytes; admin (needs a restart)",
  );
  assert.deepEqual((await evener.wait(needs, 1)).keys, ["admin"]);
  assert.equal((await fetch(`${url as string}healthz`)).status, 200, "the admin listener goes on");

  // It still needs one.
  await evener.save(
    `${base}admin: off\ndrain: { timeout: 1s }\n`,
    "limits body_bytes; drain; admin (needs a restart)",
  );
  assert.deepEqual((await evener.wait(needs, 2)).keys, ["admin"]);

  // For the admin listener the file says what runs again; the log's level counts at once.
  await evener.save(`${base}${admin}log: { level: debug }\n`, "drain; log");
  const moved = base.replace("127.0.0.1:9", "127.0.0.1:8");
  await evener.save(
    `${moved}${admin}log: { level: debug }\n`,
    "pool default: backends +127.0.0.1:8 -127.0.0.1:9",
  );
  const hasLeft = (): boolean => evener.lines("pool event").some(({ kind }) => kind === "left");
  await until(hasLeft, "the departure of a backend, which is told at level debug only");
});
