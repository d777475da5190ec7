import type { Logger } from "pino";
import { type Admin, startAdmin } from "./admin/admin.ts";
import type { AdminSource } from "./admin/source.ts";
import type { Config } from "./config/config.ts";
import type { Random } from "./core/kit/random.ts";
import type { Succession } from "./handover/succession.ts";
import type { Deadlines } from "./http1/deadlines.ts";
import { readClock } from "./http1/read-clock.ts";
import { FIXED_TASK_OPTIONS } from "./tasks/options.ts";
import type { Tasks } from "./tasks/tasks.ts";
import { VERSION } from "./version.ts";

/** The listeners beside that of the requests: for operators, and for tasks. */
export class SideDoors {
  readonly #kit: SideDoorsKit;
  #config: Config | null = null;
  #admin: Admin | null = null;
  #tasks: Tasks | null = null;

  constructor(kit: SideDoorsKit) {
    this.#kit = kit;
  }

  /** Where the admin listener is, or null. */
  get admin(): { host: string; port: number } | null {
    const host = this.#config?.admin?.host;
    return host === undefined || this.#admin === null ? null : { host, port: this.#admin.port };
  }

  /** Where the task listener is, or null. */
  get tasks(): { host: string; port: number } | null {
    const host = this.#config?.tasks?.host;
    return host === undefined || this.#tasks === null ? null : { host, port: this.#tasks.port };
  }

  /**
   * Opens what the configuration asks for. Throws EvenerError; {@link close} closes what was opened before.
   */
  async open(config: Config, succession: Succession): Promise<void> {
    this.#config = config;
    if (config.admin !== null) this.#admin = await this.#openAdmin(config, config.admin, succession);
    if (config.tasks !== null) this.#tasks = await this.#openTasks(config.tasks);
  }

  async closeAdmin(): Promise<void> {
    const admin = this.#admin;
    this.#admin = null;
    await admin?.close();
  }

  async close(): Promise<void> {
    await this.closeAdmin();
    const tasks = this.#tasks;
    this.#tasks = null;
    await tasks?.close();
  }

  async #openAdmin(
    config: Config,
    { host, port, token }: NonNullable<Config["admin"]>,
    succession: Succession,
  ): Promise<Admin> {
    const { source, deadlines, log } = this.#kit;
    const descriptor = await succession.adminSocket(config);
    const onChange = (who: string, what: string): void => log.info({ who, what }, "changed by an operator");
    return startAdmin({ host, port, descriptor, token, source, deadlines, onChange });
  }

  /** Its room, and the store's, are loaded only where they are used. */
  async #openTasks({ host, port, token, ...options }: NonNullable<Config["tasks"]>): Promise<Tasks> {
    const { deadlines, random, log } = this.#kit;
    const { startTasks } = await import("./tasks/tasks.ts");
    const onFailure = (error: unknown): void => log.error({ problem: (error as Error).message }, "tasks");
    return startTasks({
      host,
      port,
      token,
      deadlines,
      options: { ...FIXED_TASK_OPTIONS, ...options },
      version: VERSION,
      clock: readClock,
      random,
      onFailure,
      onMistake: onFailure,
    });
  }
}

/** What they are opened with. */
export interface SideDoorsKit {
  readonly source: AdminSource;
  readonly deadlines: Deadlines;
  readonly random: Random;
  readonly log: Logger;
}
