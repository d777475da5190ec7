import type { Config } from "../config/config.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { Pool } from "../core/pool.ts";
import { EvenerError } from "../errors.ts";
import { type Address, addressText, boundPath } from "../http1/address.ts";
import type { Adoption } from "../planes/adoptions.ts";
import type { Plane } from "../planes/plane.ts";
import type { InheritedSockets } from "./inherited.ts";
import { adminKey, type KnownListener, type PoolMemory, type Secrets } from "./messages.ts";
import type { Predecessor } from "./predecessor.ts";
import { Successor } from "./successor.ts";

/** Where this process stands in the row of those that serve one after the other. */
export class Succession {
  readonly #heritage: Heritage;
  readonly #kit: SuccessionKit;
  #successor: Successor | null = null;
  /** Listeners whose unix socket's file is another's to remove. */
  readonly #foreign: Set<string> = new Set();
  #isOver = false;

  constructor(heritage: Heritage, kit: SuccessionKit) {
    this.#heritage = heritage;
    this.#kit = kit;
  }

  /** The next process has taken over: this one is to be stopped. */
  get isHandedOver(): boolean {
    return this.#successor?.hasTakenOver === true;
  }

  /**
   * Before this process listens: takes over what the one before knows and has in flight, if there is one, and
   * the listening sockets that came with the birth.
   */
  async begin({ listeners }: Config): Promise<void> {
    const { plane, clock, poolOf, recall, note } = this.#kit;
    const { predecessor, sockets } = this.#heritage;
    const onGone = (booked: number): void => {
      if (this.#isOver) return;
      note("handover", "the process before has ended", `${booked} requests of it were in flight`);
    };
    await predecessor?.takeOver({ plane, clock, poolOf, recall, onGone });
    if (sockets === null) return;
    const found = new Map<string, Adoption>();
    for (const listener of listeners) {
      const adoption = await sockets.take(listener, listeners);
      if (adoption === null) continue;
      found.set(addressText(listener), adoption);
      if (!adoption.ownsFile) this.#foreign.add(addressText(listener));
    }
    plane.adopt(found);
  }

  /** The socket for the admin listener, if one came with the birth. */
  async adminSocket({ admin, listeners }: Config): Promise<number | undefined> {
    if (admin === null) return undefined;
    return (await this.#heritage.sockets?.take(admin, listeners, adminKey(admin)))?.descriptors[0];
  }

  /** This process takes requests. */
  listening(): void {
    const { predecessor, sockets } = this.#heritage;
    const addresses = sockets?.closeRest() ?? [];
    if (addresses.length > 0) {
      this.#kit.warn({ addresses }, "no listener wants these inherited sockets: closed");
    }
    if (predecessor === null) return;
    predecessor.listening();
    this.#kit.note("handover", `taken over from process ${predecessor.hello.pid}`, "");
  }

  /** See `Server.handOver`. */
  async handOver(command: readonly string[], realm: Realm): Promise<void> {
    const { predecessor } = this.#heritage;
    // Whoever has seen its end may be faster than its last word.
    const isAlone = predecessor === null || (await predecessor.isGoneWithin(LAST_WORD_MS));
    if (!isAlone) throw refusal("the process before this one still drains: wait for its end");
    if (this.obstacle !== null) throw this.obstacle;
    const { note, plane, clock, memories, warn } = this.#kit;
    try {
      this.#successor = new Successor({
        command,
        plane,
        clock,
        secrets: realm.secrets,
        listeners: () => this.#listenersOf(realm),
        memories,
        reopenLogs: () => {
          plane.reopenLogs().catch((error: Error) => {
            warn({ problem: error.message }, "access log not opened anew; the one before goes on");
          });
        },
        onGone: (how) =>
          note("handover_failed", `the successor is gone: ${how}`, "this process still drains"),
      });
      await this.#successor.takeOver();
    } catch (error) {
      this.#successor = null;
      if (!this.#isOver) note("handover_failed", (error as Error).message, "this process goes on");
      throw error;
    }
  }

  /** Why this process can not be succeeded now; null where it can, as far as it is known. */
  get obstacle(): EvenerError | null {
    const isFree = this.#successor === null && !this.#isOver;
    return isFree ? null : refusal("this process is being succeeded, or stops");
  }

  reopenLogs(): void {
    this.#heritage.predecessor?.reopenLogs();
  }

  /** This process stops. A successor that has not taken over yet is not wanted any more. */
  stop(): void {
    this.#isOver = true;
    if (this.#successor !== null && !this.#successor.hasTakenOver) this.#successor.end();
  }

  /** Nothing is in flight here any more: a process before this one goes on by itself. */
  drained(): void {
    this.#heritage.predecessor?.leave();
  }

  /** This process has nothing to say any more; resolves when all that it has said has left. */
  async leave(): Promise<void> {
    await this.#successor?.leave();
  }

  #listenersOf({ config, addresses, adminAddress }: Realm): KnownListener[] {
    const known = config.listeners.map((listener, i): KnownListener => {
      const key = addressText(listener);
      const { socketPath } = listener;
      const ownsFile = !this.#foreign.has(key);
      if (socketPath === null) return { key, address: addresses[i] ?? listener, ownsFile };
      const path = ownsFile ? boundPath(socketPath) : socketPath;
      return { key, address: { host: "", port: 0, socketPath: path }, ownsFile };
    });
    if (adminAddress !== null && config.admin !== null) {
      known.push({ key: adminKey(config.admin), address: adminAddress, ownsFile: true });
    }
    return known;
  }
}

const LAST_WORD_MS = 1_000;

function refusal(why: string): EvenerError {
  return new EvenerError("EVENER_HANDOVER_FAILED", why);
}

/** What another process, or systemd, has passed on to this one at its birth. */
export interface Heritage {
  readonly predecessor: Predecessor | null;
  readonly sockets: InheritedSockets | null;
}

export const NO_HERITAGE: Heritage = { predecessor: null, sockets: null };

/** What the succession needs of the server. */
export interface SuccessionKit {
  readonly plane: Plane;
  readonly clock: Clock;
  readonly poolOf: (name: string) => Pool | undefined;
  readonly recall: (memory: PoolMemory) => void;
  readonly memories: () => PoolMemory[];
  readonly note: (kind: "handover" | "handover_failed", reason: string, evidence: string) => void;
  readonly warn: (facts: object, text: string) => void;
}

/** What is handed over. */
export interface Realm {
  readonly config: Config;
  /** Of the listeners of `config`, in their order; ports are the real ones. */
  readonly addresses: readonly Address[];
  readonly adminAddress: Address | null;
  readonly secrets: Secrets;
}
