import { type ChildProcess, spawn } from "node:child_process";
import type { Ending } from "../../core/tasks/ending.ts";
import { Capture } from "./capture.ts";
import { killGroup, type ProcessGroups } from "./groups.ts";
import { baseEnvironment, GRACE_MS, type Job, type JobSetup, taskEnvironment } from "./job.ts";
import { isStopped } from "./process-state.ts";

/**
 * A command in a process group of its own, which dies with the agent: `setpriv --pdeathsig KILL` for itself,
 * the record of its group for what it has started.
 */
export class CommandJob implements Job {
  readonly #child: ChildProcess;
  readonly #groups: ProcessGroups;
  readonly #group: string | null;
  readonly #setup: JobSetup;
  readonly #capture: Capture;
  #outcome: Ending["outcome"] | null = null;
  #reason: string | null = null;
  #overtime: NodeJS.Timeout | null = null;
  #grace: NodeJS.Timeout | null = null;
  #isOver = false;

  /** `hasDeathSignal`: setpriv is there. */
  constructor(setup: JobSetup, groups: ProcessGroups, hasDeathSignal: boolean) {
    const { task, payload, resultBytesMax } = setup;
    this.#setup = setup;
    this.#groups = groups;
    this.#capture = new Capture(resultBytesMax);
    const { argv, env } = task.work as Extract<typeof task.work, { kind: "command" }>;
    const [program, ...rest] = hasDeathSignal ? ["setpriv", "--pdeathsig", "KILL", "--", ...argv] : argv;
    this.#child = spawn(program!, rest, {
      detached: true,
      env: { ...baseEnvironment(), ...env, ...taskEnvironment(task) },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { pid } = this.#child;
    this.#group = pid === undefined ? null : groups.begun(pid);
    this.#child.on("error", (error) =>
      this.#end({ outcome: "error", exitCode: null, reason: error.message }),
    );
    this.#child.on("close", (code, signal) => this.#closed(code, signal));
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream]!.on("data", (bytes: Buffer) => {
        this.#capture.add(bytes);
        setup.owner.output(stream, bytes);
      });
    }
    // A command that does not read its input closes it: that is no failure.
    this.#child.stdin!.on("error", () => {});
    this.#child.stdin!.end(payload);
    if (task.runTimeMaxS !== null) {
      this.#overtime = setTimeout(
        () => this.#stop("overtime", `it ran for longer than ${task.runTimeMaxS} s`),
        task.runTimeMaxS * 1000,
      );
    }
  }

  cancel(): void {
    this.#stop("cancelled", "cancelled");
  }

  kill(): void {
    this.#isOver = true;
    this.#clear();
    if (this.#child.pid !== undefined) killGroup(this.#child.pid);
  }

  frozen(): string | null {
    const { pid } = this.#child;
    return pid !== undefined && isStopped(pid) ? "it is stopped (SIGSTOP)" : null;
  }

  #stop(outcome: Ending["outcome"], reason: string): void {
    if (this.#isOver || this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#reason = reason;
    const { pid } = this.#child;
    if (pid === undefined) return;
    killGroup(pid, "SIGTERM");
    // One that is stopped does not hear the first signal before it is continued.
    killGroup(pid, "SIGCONT");
    this.#grace = setTimeout(() => killGroup(pid), GRACE_MS);
  }

  #closed(code: number | null, signal: NodeJS.Signals | null): void {
    const { pid } = this.#child;
    // What it has left in its group ends with it.
    if (pid !== undefined) killGroup(pid);
    if (this.#outcome !== null) this.#end({ outcome: this.#outcome, exitCode: code, reason: this.#reason });
    else if (code === 0) this.#end({ outcome: "ok", exitCode: 0, reason: null });
    else if (signal !== null)
      this.#end({ outcome: "killed", exitCode: null, reason: `it was killed by ${signal}` });
    else this.#end({ outcome: "error", exitCode: code, reason: `exit code ${code}` });
  }

  #end(ending: Omit<Ending, "ranMs">): void {
    this.#clear();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#setup.owner.ended(ending, this.#capture.result());
  }

  #clear(): void {
    if (this.#overtime !== null) clearTimeout(this.#overtime);
    if (this.#grace !== null) clearTimeout(this.#grace);
    if (this.#group !== null) this.#groups.ended(this.#group);
  }
}
