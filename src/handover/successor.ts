import { type ChildProcess, spawn } from "node:child_process";
import type { GuestMessage } from "../core/handover/messages.ts";
import type { Clock } from "../core/kit/clock.ts";
import { EvenerError } from "../errors.ts";
import { addressText } from "../http1/address.ts";
import type { Plane } from "../planes/plane.ts";
import { listeningSockets } from "./descriptors.ts";
import {
  type FromPredecessor,
  type FromSuccessor,
  type KnownListener,
  leftOf,
  type PoolMemory,
  PROTOCOL,
  type Secrets,
  SUCCESSOR_VARIABLE,
  untilOf,
} from "./messages.ts";

/**
 * The process that takes over from this one: started with the listening sockets, prepared, told what is in
 * flight, and from then on asked for every further lease. Until it listens, nothing here has ended; if it
 * fails before, everything goes on here as if nothing had been.
 */
export class Successor {
  readonly #estate: Estate;
  /** The channel's other end, and the successor itself unless that is an orphan. */
  readonly #child: ChildProcess;
  readonly #isOrphan: boolean;
  /** Of the successor; null until an orphan has told it. */
  #pid: number | null = null;
  readonly #prepared: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #listening: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #isGone = false;
  #hasTakenOver = false;

  /** Throws EVENER_HANDOVER_FAILED. `estate.listeners()` are looked for among the sockets of this process. */
  constructor(estate: Estate) {
    this.#estate = estate;
    const known = estate.listeners();
    const bound = new Set(known.map(({ address }) => addressText(address)));
    const sockets = listeningSockets().filter(({ address }) => bound.has(addressText(address)));
    if (sockets.length === 0) {
      throw failure(
        "the descriptors of the listening sockets are not to be found; that takes Linux and /proc",
      );
    }
    for (const { promise } of [this.#prepared, this.#listening]) promise.catch(() => {});
    const descriptors = sockets.map(({ descriptor }) => descriptor);
    this.#isOrphan = (process.env.NOTIFY_SOCKET ?? "") !== "";
    this.#child = spawnNext(estate.command, descriptors, this.#isOrphan);
    if (!this.#isOrphan) this.#pid = this.#child.pid ?? null;
    this.#child.on("message", (message) => this.#hear(message as FromSuccessor));
    this.#child.on("error", (error) => this.#ended(error.message));
    this.#child.on("exit", (code, signal) => {
      if (!this.#isOrphan || code !== 0) this.#ended(`it ended with ${signal ?? `exit code ${code}`}`);
    });
    this.#child.on("disconnect", () => this.#ended("it has left"));
    const { secrets } = estate;
    this.#say({
      kind: "hello",
      protocol: PROTOCOL,
      pid: process.pid,
      descriptors: descriptors.length,
      listeners: known,
      secrets,
    });
  }

  /** It takes requests. */
  get hasTakenOver(): boolean {
    return this.#hasTakenOver;
  }

  /** Resolves when it takes requests; rejects with EVENER_HANDOVER_FAILED, and all is as before. */
  async takeOver(): Promise<void> {
    const { plane, clock } = this.#estate;
    try {
      await this.#within(this.#prepared.promise, PREPARE_MS_MAX, "was not ready");
      plane.onSessionNews = (news): void =>
        this.#say({ kind: "sessions", news: leftOf(news, clock.nowMs()) });
      this.#say({ kind: "estate", pools: this.#estate.memories(), sessions: plane.sessions.dump() });
      await plane.guests.begin((message: GuestMessage) => this.#say({ kind: "guest", message }));
      this.#say({ kind: "told" });
      await this.#within(this.#listening.promise, LISTEN_MS_MAX, "did not listen");
    } catch (error) {
      this.end();
      await this.#standAlone();
      throw failure(`the next process: ${(error as Error).message}`);
    }
    this.#hasTakenOver = true;
    // This process ends without waiting for that one.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Ends it: it is not wanted any more. */
  end(): void {
    this.#ended("this process has ended it");
    // An orphan that has not told its number yet finds nobody to take over from, and ends.
    if (this.#pid !== null) killOne(this.#pid);
    else if (this.#child.connected) this.#child.disconnect();
  }

  /** This process has nothing more to say; resolves when all of it has left. */
  async leave(): Promise<void> {
    this.#isGone = true;
    const last: FromPredecessor = { kind: "left" };
    await new Promise<void>((resolve) => {
      // One that takes nothing any more keeps nobody.
      setTimeout(resolve, LEAVE_MS_MAX).unref();
      if (this.#child.connected) this.#child.send(last, () => resolve());
      else resolve();
    });
    if (this.#child.connected) this.#child.disconnect();
  }

  #say(message: FromPredecessor): void {
    // What can not be told to a process that is gone is told by its going.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #hear(message: FromSuccessor): void {
    const { plane, clock } = this.#estate;
    switch (message.kind) {
      case "born":
        this.#pid = message.pid;
        return;
      case "prepared":
        return this.#prepared.resolve();
      case "listening":
        return this.#listening.resolve();
      case "failed":
        return this.#ended(message.problem);
      case "host":
        if (!this.#isGone) plane.guests.hear(message.message);
        return;
      case "sessions":
        return plane.hearSessions(untilOf(message.news, clock.nowMs()));
      case "reopenLogs":
        return this.#estate.reopenLogs();
    }
  }

  #ended(how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const error = new Error(how);
    this.#prepared.reject(error);
    this.#listening.reject(error);
    void this.#standAlone();
    if (this.#hasTakenOver) this.#estate.onGone(error.message);
  }

  async #standAlone(): Promise<void> {
    const { plane } = this.#estate;
    plane.onSessionNews = null;
    await plane.guests.end();
  }

  async #within(promise: Promise<void>, mostMs: number, what: string): Promise<void> {
    const late = setTimeout(() => {
      const error = new Error(`it ${what} within ${mostMs / 1000} s`);
      this.#prepared.reject(error);
      this.#listening.reject(error);
    }, mostMs);
    try {
      await promise;
    } finally {
      clearTimeout(late);
    }
  }
}

/**
 * With the descriptors from 3 on, and a channel behind them; in no group with this process: whoever ends that
 * does not mean the next. An orphan has systemd as its parent from the start, as main processes of services
 * should: of another one's child it would not see the end.
 */
function spawnNext(
  command: readonly string[],
  descriptors: readonly number[],
  isOrphan: boolean,
): ChildProcess {
  const [program = process.execPath, ...args] = isOrphan
    ? ["/bin/sh", "-c", '"$@" &', "sh", ...command]
    : command;
  return spawn(program, args, {
    detached: true,
    stdio: ["inherit", "inherit", "inherit", ...descriptors, "ipc"],
    env: { ...process.env, [SUCCESSOR_VARIABLE]: "1" },
    serialization: "advanced",
  });
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What is handed over, and by whom. */
export interface Estate {
  /** Program and arguments of the successor. */
  readonly command: readonly string[];
  readonly plane: Plane;
  readonly clock: Clock;
  readonly secrets: Secrets;
  listeners(): KnownListener[];
  memories(): PoolMemory[];
  reopenLogs(): void;
  /** The successor is gone after it took over. */
  onGone(how: string): void;
}

/** Also to resolve names, and to start threads on a busy machine. */
const PREPARE_MS_MAX = 60_000;
const LEAVE_MS_MAX = 2_000;
/** In this time requests without a lease wait. */
const LISTEN_MS_MAX = 15_000;

function failure(problem: string): EvenerError {
  return new EvenerError("EVENER_HANDOVER_FAILED", problem);
}
