import { spawn } from "node:child_process";

/**
 * Tells systemd how things stand, by its own program `systemd-notify`, where `NOTIFY_SOCKET` asks for it: the
 * socket is a datagram socket, which Node does not have. One after the other; what fails is told to `warn`,
 * once.
 */
export class Systemd {
  readonly #isAsked: boolean;
  readonly #warn: (facts: object, text: string) => void;
  #last: Promise<void> = Promise.resolve();
  #hasWarned = false;

  constructor(environment: NodeJS.ProcessEnv, warn: (facts: object, text: string) => void) {
    this.#isAsked = (environment.NOTIFY_SOCKET ?? "") !== "";
    this.#warn = warn;
  }

  /** This process takes requests, and is the service's main one from now on, whoever was. */
  ready(status: string): void {
    this.#tell("READY=1", `MAINPID=${process.pid}`, `STATUS=${status}`);
  }

  /** The configuration is read again; `ready` follows. */
  reloading(): void {
    const microseconds = process.hrtime.bigint() / 1_000n;
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${microseconds}`);
  }

  /** The service stops. Not to be told where another process goes on with it. */
  stopping(): void {
    this.#tell("STOPPING=1", "STATUS=open streams may finish");
  }

  /** Resolves when all of it has been told. */
  told(): Promise<void> {
    return this.#last;
  }

  #tell(...assignments: readonly string[]): void {
    if (!this.#isAsked) return;
    this.#last = this.#last.then(() => this.#run(assignments));
  }

  async #run(assignments: readonly string[]): Promise<void> {
    const problem = await run(assignments);
    if (problem === null || this.#hasWarned) return;
    this.#hasWarned = true;
    this.#warn({ problem }, "systemd-notify failed: systemd does not know how things stand");
  }
}

/** Null, or what went wrong. */
function run(assignments: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn("systemd-notify", assignments, { stdio: "ignore", timeout: ANSWER_MS_MAX });
    child.on("error", (error) => resolve(error.message));
    // systemd ends all processes of a service that it stops: then it knows.
    const isTold = (code: number | null, signal: string | null): boolean =>
      code === 0 || signal === "SIGTERM";
    child.on("exit", (code, signal) => {
      resolve(isTold(code, signal) ? null : `it ended with ${signal ?? code}`);
    });
  });
}

const ANSWER_MS_MAX = 10_000;
