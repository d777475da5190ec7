import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { processTree } from "./cpu.ts";

/** What to run: the program runs under `taskset` on these cores, such as `0` or `0,1`. */
export interface Launch {
  name: string;
  cores: string;
  program: string;
  args: readonly string[];
  /** Where its standard output goes; without it, to the same file as its standard error. */
  stdoutFile?: string;
}

/** A program that was started and runs until {@link Processes.end}. */
export interface Started {
  pid: number;
  /** undefined while it runs; else how it ended, with the last lines it wrote. */
  ended(): string | undefined;
}

/**
 * Every process that a bench starts, so that each is ended by its own id, whatever happens. `end` is for the
 * `finally` block; what is left when Node exits is killed at once. Output goes to files in `directory`.
 */
export class Processes {
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #children = new Set<ChildProcess>();
  readonly #killAll = (): void => {
    for (const child of this.#children) killTree(child);
  };

  constructor(directory: string, signal: AbortSignal) {
    this.#directory = directory;
    this.#signal = signal;
    process.on("exit", this.#killAll);
  }

  /** Starts a program; throws when it can not be started at all. At most {@link PROCESSES_MAX} at a time. */
  async start(launch: Launch): Promise<Started> {
    const errorFile = path.join(this.#directory, `${launch.name}.err`);
    const stderr = openSync(errorFile, "a");
    const stdout = launch.stdoutFile === undefined ? stderr : openSync(launch.stdoutFile, "a");
    let child: ChildProcess;
    try {
      child = this.#spawn(launch, ["ignore", stdout, stderr]);
    } finally {
      closeSync(stderr);
      if (stdout !== stderr) closeSync(stdout);
    }
    const pid = await spawned(child, launch);
    const ended = (): string | undefined => {
      if (child.exitCode === null && child.signalCode === null) return undefined;
      const how = child.signalCode ?? `exit code ${child.exitCode}`;
      return `${launch.name} ended (${how})${lastLines(errorFile)}`;
    };
    return { pid, ended };
  }

  /** Runs a program to its end and returns what it wrote; throws when it fails or `timeoutMs` are over. */
  async run(launch: Launch, timeoutMs: number): Promise<string> {
    const child = this.#spawn(launch, ["ignore", "pipe", "pipe"]);
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        if (chunks.length < OUTPUT_CHUNKS_MAX) chunks.push(chunk);
      });
    }
    const closed = new Promise<string | number>((resolve) => {
      child.once("close", (code, signal) => resolve(signal ?? code ?? "unknown"));
    });
    await spawned(child, launch);
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(timeoutMs)]);
    const onAbort = (): void => killTree(child);
    limit.addEventListener("abort", onAbort, { once: true });
    if (limit.aborted) onAbort();
    const how = await closed;
    limit.removeEventListener("abort", onAbort);
    this.#signal.throwIfAborted();
    const output = Buffer.concat(chunks).toString();
    if (limit.aborted) throw new Error(`${launch.name} took longer than ${timeoutMs} ms`);
    if (how !== 0) throw new Error(`${launch.name} ended (${how}): ${output.trim()}`);
    return output;
  }

  /** Ends all that still runs: asks (SIGTERM), waits up to {@link GRACE_MS}, then kills. Never throws. */
  async end(): Promise<void> {
    for (const child of this.#children) child.kill("SIGTERM");
    const deadline = Date.now() + GRACE_MS;
    while (this.#children.size > 0 && Date.now() < deadline) await sleep(20);
    this.#killAll();
    process.removeListener("exit", this.#killAll);
  }

  #spawn(launch: Launch, stdio: ("ignore" | "pipe" | number)[]): ChildProcess {
    this.#signal.throwIfAborted();
    if (this.#children.size >= PROCESSES_MAX)
      throw new Error(`more than ${PROCESSES_MAX} processes at a time`);
    // taskset replaces itself by the program, so the child's id is the program's.
    const child = spawn("taskset", ["-c", launch.cores, launch.program, ...launch.args], {
      cwd: this.#directory,
      stdio,
    });
    this.#children.add(child);
    const forget = (): void => void this.#children.delete(child);
    child.once("exit", forget);
    child.once("error", forget);
    return child;
  }
}

/** Backends, peers and one load generator. */
const PROCESSES_MAX = 32;
const OUTPUT_CHUNKS_MAX = 1000;
const GRACE_MS = 2000;
const LAST_LINES = 25;

function spawned(child: ChildProcess, launch: Launch): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid!));
    child.once("error", (cause) => reject(new Error(`${launch.name} can not be started`, { cause })));
  });
}

/** With its workers: a daemon that is killed outright does not end them itself. */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of livingTree(child.pid)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile, which is what was wanted.
    }
  }
}

function livingTree(pid: number): number[] {
  try {
    return processTree(pid);
  } catch {
    return [];
  }
}

function lastLines(file: string): string {
  const lines = readFileSync(file, "utf8").trim().split("\n").slice(-LAST_LINES);
  return lines[0] === "" ? "" : `:\n  ${lines.join("\n  ")}`;
}
