import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processState } from "./process-state.ts";

/**
 * The process groups that the agent has begun, as empty files with their names: what is left of an agent that
 * was killed is ended by the next one, before it says hello.
 */
export class ProcessGroups {
  readonly #folder: string;

  /** `folder` belongs to this agent alone. */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** A group was begun by this process, which leads it. Returns its name for {@link ended}. */
  begun(pid: number): string {
    const name = `${pid}-${processState(pid)?.startTicks ?? 0}`;
    writeFileSync(join(this.#folder, name), "", { mode: 0o600 });
    return name;
  }

  ended(name: string): void {
    rmSync(join(this.#folder, name), { force: true });
  }

  /** Kills what an agent before has left; returns how many groups those were. */
  reap(): number {
    let reaped = 0;
    for (const name of readdirSync(this.#folder)) {
      const [pid, startTicks] = name.split("-");
      const isLeaderThere = processState(Number(pid))?.startTicks === startTicks;
      // A leader that has gone may have left others in its group: its number is theirs as long as they live.
      if (isLeaderThere || processState(Number(pid)) === null) reaped += killGroup(Number(pid)) ? 1 : 0;
      this.ended(name);
    }
    return reaped;
  }
}

/** False: there was nobody in it. */
export function killGroup(pid: number, signal: NodeJS.Signals = "SIGKILL"): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
