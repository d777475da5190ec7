import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { CommandJob } from "./command-job.ts";
import { ProcessGroups } from "./groups.ts";
import type { Job, JobSetup } from "./job.ts";
import { WarmLoop } from "./warm-loop.ts";

/** Begins what tasks ask for, and keeps loops warm between them. */
export class Jobs {
  readonly #groups: ProcessGroups;
  readonly #loops: Map<string, Set<WarmLoop>> = new Map();
  /** How loops are started, by their names. */
  readonly #commands: Readonly<Record<string, readonly string[]>>;
  readonly hasDeathSignal: boolean;
  #isClosed = false;

  constructor(stateFolder: string, commands: Readonly<Record<string, readonly string[]>>) {
    this.#groups = new ProcessGroups(join(stateFolder, "groups"));
    this.#commands = commands;
    this.hasDeathSignal = spawnSync("setpriv", ["--version"]).status === 0;
  }

  get loops(): readonly string[] {
    return Object.keys(this.#commands);
  }

  /** What an agent before has left is ended. */
  reap(): number {
    return this.#groups.reap();
  }

  /** Begins; null where it has ended already (a no-op). */
  begin(setup: JobSetup): Job | null {
    const { work } = setup.task;
    switch (work.kind) {
      case "noop":
        setup.owner.ended({ outcome: "ok", exitCode: null, reason: null }, setup.payload);
        return null;
      case "command":
        return new CommandJob(setup, this.#groups, this.hasDeathSignal);
      case "loop":
        return this.#beginLoop(work.loop, setup);
    }
  }

  /** Nothing new begins; warm loops end. */
  close(): void {
    this.#isClosed = true;
    for (const loops of this.#loops.values()) for (const loop of loops) loop.close();
  }

  #beginLoop(name: string, setup: JobSetup): Job | null {
    const argv = this.#commands[name];
    if (argv === undefined || this.#isClosed) {
      setup.owner.ended(
        { outcome: "refused", exitCode: null, reason: `there is no loop ${name} here` },
        NO_BYTES,
      );
      return null;
    }
    const loops = this.#loops.get(name) ?? new Set<WarmLoop>();
    this.#loops.set(name, loops);
    let loop = [...loops].find(({ isIdle }) => isIdle);
    if (loop === undefined) {
      loop = new WarmLoop(argv, this.#groups, (dead) => loops.delete(dead));
      loops.add(loop);
    }
    loop.run(setup);
    const it = loop;
    return {
      cancel: () => it.stop({ outcome: "cancelled", exitCode: null, reason: "cancelled" }),
      kill: () => it.kill(),
      frozen: () => it.frozen(),
    };
  }
}

const NO_BYTES = new Uint8Array(0);
