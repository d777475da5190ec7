import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BackendStatus, PoolStatus } from "../../src/admin/status.ts";
import { request } from "../fixtures/client.ts";
import { isAlive } from "../fixtures/processes.ts";
import { yamlOf } from "../fixtures/scene.ts";
import { until, within } from "../fixtures/until.ts";

/** An event of a pool, as the admin API tells it. */
export interface SeenEvent {
  readonly sequence: number;
  readonly backend: string | null;
  readonly kind: string;
  readonly reason: string;
  readonly evidence: string;
}

/** What a reload said. */
export interface ReloadAnswer {
  readonly isDone: boolean;
  readonly text: string;
}

/**
 * Evener as its users run it: a process of its own with a file. So that a crash is a crash, and its memory
 * and its descriptors are its own.
 */
export class EvenerProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly #child: ChildProcess;
  readonly #lines: string[];
  readonly #file: string;
  readonly #agent: http.Agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  #reloads = 0;
  /** The process that has taken over, if any has. */
  #heirPid: number | null = null;

  private constructor(child: ChildProcess, lines: string[], file: string) {
    this.#child = child;
    this.#lines = lines;
    this.#file = file;
    this.port = lineOf(lines, "listening").port!;
    this.adminPort = Number(new URL(lineOf(lines, "status page").url!).port);
  }

  /** `under`: a command line that runs the rest of it, such as `prlimit --nofile=256`. */
  static async start(folder: string, config: Config, under: readonly string[] = []): Promise<EvenerProcess> {
    // The file is behind a link: its folder is not watched, so that only a signal reloads.
    mkdirSync(join(folder, "real"));
    const file = join(folder, "real", "evener.yaml");
    writeFileSync(file, fullText(config, folder));
    symlinkSync(file, join(folder, "evener.yaml"));
    const [program, ...args] = [...under, process.execPath, PROGRAM, join(folder, "evener.yaml")];
    const child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, EVENER_STATE_DIR: join(folder, "state") },
    });
    const lines: string[] = [];
    let rest = "";
    child.stderr.on("data", (bytes: Buffer) => {
      const parts = (rest + bytes.toString()).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
    });
    const isUp = (): boolean => lines.some((line) => line.includes("status page"));
    await until(
      () => isUp() || child.exitCode !== null,
      () => `Evener to start: ${lines.join("\n")}`,
      START_MS_MAX,
    );
    if (!isUp()) throw new Error(`Evener did not start: ${lines.join("\n")}`);
    return new EvenerProcess(child, lines, file);
  }

  /** Of the one that takes requests. */
  get pid(): number {
    return this.#heirPid ?? this.#child.pid!;
  }

  /** How it ended, or null while it runs; "gone" is all that can be said of one that has taken over. */
  get ended(): string | null {
    if (this.#heirPid !== null) return isAlive(this.#heirPid) ? null : "gone";
    return this.firstEnded;
  }

  /** How the process that was started first ended, or null while it runs. */
  get firstEnded(): string | null {
    const { exitCode, signalCode } = this.#child;
    return exitCode === null && signalCode === null ? null : String(signalCode ?? exitCode);
  }

  get log(): readonly string[] {
    return this.#lines;
  }

  /** Puts another file in place and sends SIGHUP; resolves with what Evener said about it. */
  async reload(config: Config, folder: string): Promise<ReloadAnswer> {
    return this.reloadText(fullText(config, folder));
  }

  async reloadText(text: string): Promise<ReloadAnswer> {
    // As a whole: a file that is read while it is written is half a configuration.
    writeFileSync(`${this.#file}.new`, text);
    renameSync(`${this.#file}.new`, this.#file);
    const before = this.#reloads++;
    const answers = (): string[] =>
      this.#lines.filter((line) => /configuration (?:not )?reloaded/.test(line));
    const known = answers().length;
    this.#child.kill("SIGHUP");
    await until(
      () => answers().length > known,
      () => `the answer to reload ${before}; last lines: ${this.#lines.slice(-3).join("\n")}`,
    );
    const line = answers().at(-1)!;
    return { isDone: !line.includes("not reloaded"), text: line };
  }

  /** SIGUSR2: resolves when another process has taken over; the one before drains. Once only. */
  async handOver(): Promise<void> {
    const message = "taken over from the process before";
    const isDone = (): boolean => this.#lines.some((line) => line.includes(message));
    this.#child.kill("SIGUSR2");
    await until(isDone, () => `another process to take over: ${this.#lines.slice(-5).join("\n")}`);
    this.#heirPid = lineOf(this.#lines, message).pid!;
  }

  async pool(): Promise<PoolStatus> {
    const { body } = await this.#get("/api/v1/pools/default");
    return JSON.parse(body) as PoolStatus;
  }

  async backend(id: string): Promise<BackendStatus> {
    const found = (await this.pool()).backends.find((backend) => backend.id === id);
    if (found === undefined) throw new Error(`no backend ${id}`);
    return found;
  }

  /** Requests in flight and waiting, as Evener counts them. */
  async busy(): Promise<number> {
    const { backends, queue } = await this.pool();
    return backends.reduce((sum, { in_flight: inFlight }) => sum + inFlight, queue.length);
  }

  /** The last 1,000 events. */
  async events(): Promise<readonly SeenEvent[]> {
    const { body } = await this.#get("/api/v1/events?max=1000&since=0");
    return (JSON.parse(body) as { events: SeenEvent[] }).events;
  }

  /** The value of a metric without labels, or the sum of all its series. */
  async metric(name: string): Promise<number> {
    const { body } = await this.#get("/metrics");
    const values = body
      .split("\n")
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  async change(id: string, what: Readonly<Record<string, unknown>>): Promise<void> {
    const path = `/api/v1/pools/default/backends/${id}`;
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(what);
    const { status } = await request(this.adminPort, path, { method: "PUT", headers, body });
    if (status !== 200) throw new Error(`PUT ${path}: ${status}`);
  }

  /** Resident memory. */
  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
  }

  /** Open descriptors. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#agent.destroy();
    const heir = this.#heirPid;
    if (heir !== null && isAlive(heir)) {
      process.kill(heir, "SIGKILL");
      await until(() => !isAlive(heir), "the end of the process that took over, by SIGKILL");
    }
    if (this.firstEnded !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await within(gone, "Evener's end by SIGKILL");
  }

  #get(path: string): Promise<{ body: string }> {
    return request(this.adminPort, path, { agent: this.#agent });
  }
}

/** A configuration as an object; what it leaves out is set so that rows do not meet. */
export type Config = Readonly<Record<string, unknown>>;

/** With several threads, on a machine that is busy with other tests. */
const START_MS_MAX = 30_000;

const PROGRAM = fileURLToPath(new URL("../../bin/evener.js", import.meta.url));

/** The text of the file that `config` stands for. */
export function fullText(config: Config, folder: string): string {
  return yamlOf({
    listen: "127.0.0.1:0",
    admin: { bind: "127.0.0.1:0" },
    access_log: { file: join(folder, "access.log") },
    threads: 0,
    ...config,
  });
}

function lineOf(lines: readonly string[], message: string): Line {
  const line = lines.find((it) => it.includes(`"msg":"${message}"`));
  if (line === undefined) throw new Error(`Evener did not say "${message}": ${lines.join("\n")}`);
  return JSON.parse(line) as Line;
}

interface Line {
  readonly port?: number;
  readonly url?: string;
  readonly pid?: number;
}
