import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Ending } from "../../core/tasks/ending.ts";
import { killGroup, type ProcessGroups } from "./groups.ts";
import { baseEnvironment, type JobSetup, taskEnvironment } from "./job.ts";
import { isStopped } from "./process-state.ts";

/**
 * A warm process that runs one task after the other: `python -m evener.worker`. It reads requests from
 * descriptor 3 and writes replies to 4, each with 4 bytes of length (big endian) before it; a request is a
 * line of JSON (what the task is called) and the payload, a reply one byte (0 result, 1 error, 2 progress)
 * and the rest. It ends when 3 does.
 */
export class WarmLoop {
  readonly #child: ChildProcess;
  readonly #groups: ProcessGroups;
  readonly #group: string | null;
  readonly #onDeath: (loop: WarmLoop) => void;
  #setup: JobSetup | null = null;
  #pending: Buffer = Buffer.alloc(0);
  #overtime: NodeJS.Timeout | null = null;
  /** When it must have said something again, if it has promised to; performance.now(). */
  #promisedMs = Number.POSITIVE_INFINITY;
  #verdict: Omit<Ending, "ranMs"> | null = null;
  #isDead = false;

  constructor(argv: readonly string[], groups: ProcessGroups, onDeath: (loop: WarmLoop) => void) {
    this.#groups = groups;
    this.#onDeath = onDeath;
    this.#child = spawn(argv[0]!, argv.slice(1), {
      detached: true,
      env: baseEnvironment(),
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    });
    const { pid } = this.#child;
    this.#group = pid === undefined ? null : groups.begun(pid);
    this.#child.on("error", (error) => this.#died(error.message));
    this.#child.on("close", (code, signal) => {
      this.#died(signal === null ? `its process ended with ${code}` : `its process was killed by ${signal}`);
    });
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream]!.on("data", (bytes: Buffer) => this.#setup?.owner.output(stream, bytes));
    }
    this.#requests.on("error", () => {});
    (this.#child.stdio[4] as Readable).on("data", (bytes: Buffer) => this.#hear(bytes));
  }

  get isIdle(): boolean {
    return this.#setup === null && !this.#isDead;
  }

  /** Only while it is idle. */
  run(setup: JobSetup): void {
    const { task, payload } = setup;
    this.#setup = setup;
    this.#verdict = null;
    this.#promisedMs = Number.POSITIVE_INFINITY;
    const about = Buffer.from(`${JSON.stringify(taskEnvironment(task))}\n`, "utf8");
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(about.length + payload.length);
    this.#requests.write(Buffer.concat([length, about, payload]));
    if (task.runTimeMaxS === null) return;
    this.#overtime = setTimeout(
      () =>
        this.stop({
          outcome: "overtime",
          exitCode: null,
          reason: `it ran for longer than ${task.runTimeMaxS} s`,
        }),
      task.runTimeMaxS * 1000,
    );
  }

  /** Its task ends like this, and the process with it: what runs in there can not be stopped by itself. */
  stop(verdict: Omit<Ending, "ranMs">): void {
    this.#verdict ??= verdict;
    this.kill();
  }

  kill(): void {
    if (this.#child.pid !== undefined) killGroup(this.#child.pid);
  }

  frozen(): string | null {
    const { pid } = this.#child;
    if (pid !== undefined && isStopped(pid)) return "its loop is stopped (SIGSTOP)";
    return performance.now() > this.#promisedMs ? "its loop has promised progress and makes none" : null;
  }

  /** No more requests: it ends when it has nothing left to do. */
  close(): void {
    this.#requests.end();
  }

  get #requests(): Writable {
    return this.#child.stdio[3] as Writable;
  }

  #hear(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 4) {
      const length = this.#pending.readUInt32BE(0);
      if (this.#pending.length < 4 + length) return;
      const reply = this.#pending.subarray(4, 4 + length);
      this.#pending = this.#pending.subarray(4 + length);
      this.#reply(reply);
    }
  }

  #reply(reply: Buffer): void {
    const kind = reply[0];
    if (kind === PROGRESS) {
      this.#promisedMs = performance.now() + reply.readUInt32BE(1);
      return;
    }
    const result = Buffer.from(reply.subarray(1));
    if (this.#setup !== null && result.length > this.#setup.resultBytesMax) {
      const most = this.#setup.resultBytesMax;
      const reason = `its result has ${result.length} bytes, tasks.result_max is ${most}`;
      return this.#end({ outcome: "error", exitCode: null, reason }, NO_BYTES);
    }
    if (kind === RESULT) return this.#end({ outcome: "ok", exitCode: null, reason: null }, result);
    this.#end({ outcome: "error", exitCode: null, reason: "it raised an exception" }, result);
  }

  #end(ending: Omit<Ending, "ranMs">, result: Uint8Array): void {
    if (this.#overtime !== null) clearTimeout(this.#overtime);
    this.#overtime = null;
    const setup = this.#setup;
    this.#setup = null;
    this.#promisedMs = Number.POSITIVE_INFINITY;
    setup?.owner.ended(ending, result);
  }

  #died(reason: string): void {
    if (this.#isDead) return;
    this.#isDead = true;
    if (this.#group !== null) this.#groups.ended(this.#group);
    if (this.#child.pid !== undefined) killGroup(this.#child.pid);
    this.#onDeath(this);
    if (this.#setup !== null)
      this.#end(this.#verdict ?? { outcome: "killed", exitCode: null, reason }, NO_BYTES);
  }
}

const RESULT = 0;
const PROGRESS = 2;
const NO_BYTES = new Uint8Array(0);
