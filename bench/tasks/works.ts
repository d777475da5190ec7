import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readCpu, readRssMb } from "../measure/cpu.ts";
import { chooseCores } from "../measure/machine.ts";
import { Processes, type Started } from "../measure/processes.ts";

/** A running Evener with agents, each a process of its own, and SQLite at full sync. */
export class Works {
  readonly url: string;
  readonly folder: string;
  readonly processes: Processes;
  readonly server: Started;

  private constructor(url: string, folder: string, processes: Processes, server: Started) {
    this.url = url;
    this.folder = folder;
    this.processes = processes;
    this.server = server;
  }

  /** `python`: the program of the agents' warm loops. */
  static async start(agents: number, slots: number, python: string, signal: AbortSignal): Promise<Works> {
    const folder = mkdtempSync(path.join(tmpdir(), "evener-bench-tasks-"));
    const processes = new Processes(folder, signal);
    const file = path.join(folder, "evener.yaml");
    const url = `http://127.0.0.1:${PORT}`;
    writeFileSync(
      file,
      `tasks: { bind: "127.0.0.1:${PORT}", store: "sqlite:tasks.db" }\nadmin: off\nthreads: 0\n`,
    );
    const cores = chooseCores().all;
    const program = process.execPath;
    const server = await processes.start({ name: "server", cores, program, args: [EVENER, file] });
    const works = new Works(url, folder, processes, server);
    await works.#until(async () => (await fetch(`${url}/healthz`)).ok, "the server");
    for (let i = 0; i < agents; i++) {
      const name = `agent-${i}`;
      const args = [
        EVENER,
        "agent",
        "--server",
        url,
        "--slots",
        String(slots),
        "--name",
        name,
        "--python",
        python,
      ];
      await processes.start({ name, cores, program, args: [...args, "--state", path.join(folder, name)] });
    }
    await works.#until(
      async () => (await works.get<{ workers: unknown[] }>("/v1/workers")).workers.length === agents,
      "the agents",
    );
    return works;
  }

  async get<T>(target: string): Promise<T> {
    return (await (await fetch(this.url + target)).json()) as T;
  }

  async post(target: string, body: string): Promise<unknown> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.url + target, { method: "POST", body, headers });
    if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** CPU microseconds of the server so far. */
  cpuUs(): number {
    const { userUs, systemUs } = readCpu(this.server.pid);
    return userUs + systemUs;
  }

  rssMb(): number {
    return readRssMb(this.server.pid);
  }

  async end(): Promise<void> {
    await this.processes.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #until(isThere: () => Promise<boolean>, what: string): Promise<void> {
    for (let i = 0; i < 300; i++) {
      if (await isThere().catch(() => false)) return;
      const ended = this.server.ended();
      if (ended !== undefined) throw new Error(ended);
      await sleep(100);
    }
    throw new Error(`${what} did not come up within 30 s`);
  }
}

const EVENER = fileURLToPath(new URL("../../bin/evener.js", import.meta.url));
const PORT = 19_902;
