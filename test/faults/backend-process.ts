import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "../fixtures/until.ts";

/** A backend in a process of its own, that can be killed, stopped and continued. */
export class BackendProcess {
  readonly name: string;
  port = 0;
  readonly #journal: string;
  #child: ChildProcess | null = null;

  constructor(name: string, folder: string) {
    this.name = name;
    this.#journal = join(folder, `${name}.journal`);
    closeSync(openSync(this.#journal, "a"));
  }

  get id(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Every request that has come so far, in order. */
  get deliveries(): string[] {
    return readFileSync(this.#journal, "utf8").split("\n").slice(0, -1);
  }

  /** Starts it, or starts it again on the same port. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, this.name, this.#journal, String(this.port)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    const [line] = (await within(once(child.stdout, "data"), `backend ${this.name}`)) as [Buffer];
    this.port = Number(line.toString().split(" ")[1]);
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child!.kill(signal);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await within(gone, `the end of backend ${this.name}`);
  }
}

const PROGRAM = fileURLToPath(new URL("backend-program.ts", import.meta.url));
