import { Host } from "../core/handover/host.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { Pool } from "../core/pool.ts";
import type { Plane } from "../planes/plane.ts";
import { EvenerError } from "../errors.ts";
import { listeningSockets } from "./descriptors.ts";
import { FIRST_DESCRIPTOR, InheritedSockets } from "./inherited.ts";
import {
  type FromPredecessor,
  type FromSuccessor,
  type Hello,
  leftOf,
  type PoolMemory,
  PROTOCOL,
  SUCCESSOR_VARIABLE,
  untilOf,
} from "./messages.ts";

/**
 * The process that this one takes over from. Until it is gone, it asks here for each further lease, and this
 * process books what it has in flight.
 */
export class Predecessor {
  readonly hello: Hello;
  /** The listening sockets that it has passed on. */
  readonly sockets: InheritedSockets;
  readonly #told: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #heir: Heir | null = null;
  #host: Host | null = null;
  #tending: NodeJS.Timeout | null = null;

  private constructor(hello: Hello) {
    this.hello = hello;
    const descriptors = Array.from({ length: hello.descriptors }, (_, i) => FIRST_DESCRIPTOR + i);
    this.sockets = new InheritedSockets(listeningSockets(descriptors), hello.listeners);
    process.on("message", (message) => this.#hear(message as FromPredecessor));
    process.once("disconnect", () => this.#gone());
    if (!process.connected) this.#gone();
  }

  /** Null where there is none: somebody else started this process. Throws where it speaks otherwise. */
  static async meet(): Promise<Predecessor | null> {
    const isSuccessor = process.env[SUCCESSOR_VARIABLE] !== undefined;
    delete process.env[SUCCESSOR_VARIABLE];
    if (!isSuccessor || process.send === undefined) return null;
    const born: FromSuccessor = { kind: "born", pid: process.pid };
    process.send(born, undefined, undefined, () => {});
    const hello = await new Promise<Hello | null>((resolve) => {
      process.once("message", (message) => resolve(message as Hello));
      process.once("disconnect", () => resolve(null));
    });
    if (hello === null) throw new EvenerError("EVENER_HANDOVER_FAILED", "the process before has ended");
    if (hello.kind !== "hello" || hello.protocol !== PROTOCOL) {
      const problem =
        "the process before is of a version that can not hand over to this one; restart instead";
      throw new EvenerError("EVENER_HANDOVER_FAILED", problem);
    }
    return new Predecessor(hello);
  }

  /** True as soon as it is gone; false when it is still there after that time. */
  isGoneWithin(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(false), timeoutMs);
      void this.#end.promise.then(() => {
        clearTimeout(late);
        return resolve(true);
      });
    });
  }

  /**
   * Everything is ready but for listening: resolves when this process knows all that is in flight there, and
   * may take requests; also when the process before is gone.
   */
  async takeOver(heir: Heir): Promise<void> {
    this.#heir = heir;
    this.#host = new Host(heir.poolOf, (message) => this.#say({ kind: "host", message }));
    this.#tending = setInterval(() => this.#host?.tend(), TEND_MS);
    this.#say({ kind: "prepared" });
    if (!process.connected) this.#gone();
    await this.#told.promise;
    // Those who waited there go before those who come here.
    this.#host?.open();
  }

  /** This process takes requests: the one before may drain. */
  listening(): void {
    const { plane, clock } = this.#heir!;
    plane.onSessionNews = (news): void => this.#say({ kind: "sessions", news: leftOf(news, clock.nowMs()) });
    this.#say({ kind: "listening" });
  }

  /** This process can not take over, and ends; resolves when that has been told. */
  async failed(problem: string): Promise<void> {
    const message: FromSuccessor = { kind: "failed", problem };
    await new Promise<void>((resolve) => {
      if (process.connected) process.send!(message, undefined, undefined, () => resolve());
      else resolve();
    });
    this.leave();
  }

  /** The log files were moved away: the process before writes to them, too. */
  reopenLogs(): void {
    this.#say({ kind: "reopenLogs" });
  }

  /** This process ends: the one before goes on by itself. */
  leave(): void {
    if (process.connected) process.disconnect();
    this.#gone();
  }

  #say(message: FromSuccessor): void {
    if (process.connected) process.send!(message, undefined, undefined, () => {});
  }

  #hear(message: FromPredecessor): void {
    const heir = this.#heir;
    if (heir === null) return;
    switch (message.kind) {
      case "hello":
      case "left":
        return;
      case "estate":
        for (const { pool, endpoints } of message.pools) heir.recall({ pool, endpoints });
        void heir.plane.loadSessions(message.sessions);
        return;
      case "told":
        return this.#told.resolve();
      case "guest":
        return this.#host?.hear(message.message);
      case "sessions":
        return heir.plane.hearSessions(untilOf(message.news, heir.clock.nowMs()));
    }
  }

  #gone(): void {
    this.#told.resolve();
    this.#end.resolve();
    if (this.#tending === null) return;
    clearInterval(this.#tending);
    this.#tending = null;
    const booked = this.#host?.count ?? 0;
    this.#host?.close();
    this.#host = null;
    this.#heir!.plane.onSessionNews = null;
    this.#heir!.onGone(booked);
  }
}

/** Who takes over. */
export interface Heir {
  readonly plane: Plane;
  readonly clock: Clock;
  readonly poolOf: (name: string) => Pool | undefined;
  /** What was known of the endpoints of a pool. */
  recall(memory: PoolMemory): void;
  /** The process before is gone; so many requests of it were still booked here, and are not any more. */
  onGone(booked: number): void;
}

const TEND_MS = 100;
